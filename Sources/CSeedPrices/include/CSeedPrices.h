#pragma once
#include <stddef.h>

/// The seed of the price catalogue: the bytes of `model-prices.json`, compiled in so that a program needs no file beside it.
extern const unsigned char finops_seed_prices[];
extern const size_t finops_seed_prices_length;

/// The same for Swift, which imports no array of unknown length.
static inline const unsigned char *finops_seed_prices_start(void) { return finops_seed_prices; }
