#define _GNU_SOURCE
#include "CLoopWait.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>

// How this thread's last waits were: each short one counts up to `most`, a long one takes `setback` of them, and from
// `likely` on the next one is taken for a short one, too.
enum { most = 16, likely = 8, setback = 4 };

static _Thread_local int64_t longest = 0;
static _Thread_local int short_waits = 0;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void learn(bool was_short) {
    short_waits += was_short ? 1 : -setback;
    if (short_waits > most) short_waits = most;
    if (short_waits < 0) short_waits = 0;
}

void loop_wait_awake(int64_t nanoseconds) {
    longest = nanoseconds;
    short_waits = 0;
}

// Stands before the C library's in this program: NIO's loops have no other place where they could be told how to wait.
int epoll_wait(int descriptor, struct epoll_event *events, int capacity, int timeout) {
    if (longest == 0 || timeout >= 0) return epoll_pwait(descriptor, events, capacity, timeout, NULL);
    const int64_t began = now();
    while (short_waits >= likely) {
        int count = epoll_pwait(descriptor, events, capacity, 0, NULL);
        if (count != 0) {
            learn(true);
            return count;
        }
        if (now() - began > longest) break;
        sched_yield();
    }
    int count = epoll_pwait(descriptor, events, capacity, -1, NULL);
    learn(now() - began <= longest);
    return count;
}
