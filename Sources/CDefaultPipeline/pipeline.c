#include "CDefaultPipeline.h"

const unsigned char finops_default_pipeline[] = {
#embed "../../Pipelines/default.yaml"
};
const size_t finops_default_pipeline_length = sizeof finops_default_pipeline;
