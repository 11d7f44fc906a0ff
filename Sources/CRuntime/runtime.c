#define _GNU_SOURCE
#include "CRuntime.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

int runtime_cell_width(uint32_t code_point) { return wcwidth((wchar_t)code_point); }

int runtime_open_unnamed(const char *directory) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/unnamed-XXXXXX", directory) >= (int)sizeof path) return -1;
    int descriptor = mkostemp(path, O_CLOEXEC | O_APPEND);
    if (descriptor >= 0) unlink(path);
    return descriptor;
}

int runtime_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
