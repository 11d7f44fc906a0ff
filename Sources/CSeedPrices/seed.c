#include "CSeedPrices.h"

const unsigned char finops_seed_prices[] = {
#embed "model-prices.json"
};
const size_t finops_seed_prices_length = sizeof finops_seed_prices;
