// What the load generators share.
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

enum { answer_bytes = 65536, events_at_once = 256 };

struct caller {
    int descriptor;
    int64_t asked;
    int64_t first;
    /// Of a paced load: when it is to ask next, and whether it may.
    int64_t due;
    bool is_free;
    size_t held;
    char bytes[answer_bytes];
};

static inline int64_t now_nanos(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline void no_delay(int descriptor) {
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
