#include "CSandboxTrace.h"

const unsigned char finops_sandbox_trace[] = {
#embed "azure-llm-conv-2023.csv"
};
const size_t finops_sandbox_trace_length = sizeof finops_sandbox_trace;
