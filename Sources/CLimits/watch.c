// A load whose answers are looked at: what was accepted and when, and under which names.
#define _GNU_SOURCE
#include "CLimits.h"
#include "http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { call_bytes = 41, poll_milliseconds = 1, answer_milliseconds = 5000 };

/// @return the size of the whole answer, 0 if it is not whole, -1 for what is none.
static ssize_t answer_size(struct caller *caller, char **end) {
    if (caller->held >= 5 && memcmp(caller->bytes, "HTTP/", 5) != 0) return -1;
    *end = memmem(caller->bytes, caller->held, "\r\n\r\n", 4);
    if (!*end) return 0;
    **end = 0;
    char *length = strcasestr(caller->bytes, "content-length:");
    size_t size = length ? (size_t)(*end + 4 - caller->bytes) + strtoul(length + 15, NULL, 10) : 0;
    **end = '\r';
    if (!length) return -1;
    return caller->held >= size ? (ssize_t)size : 0;
}

static void note(struct caller *caller, char *end, struct limit_http_watch *result) {
    if (memcmp(caller->bytes, "HTTP/1.1 200", 12) != 0) {
        result->refused++;
        return;
    }
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    result->accepted++;
    result->last_accepted = time.tv_sec * INT64_C(1000000) + time.tv_nsec / 1000;
    *end = 0;
    char *call = strcasestr(caller->bytes, "x-finops-call: ");
    *end = '\r';
    if (!call || result->calls_held + call_bytes > result->calls_room) return;
    memcpy(result->calls + result->calls_held, call + 15, call_bytes);
    result->calls_held += call_bytes;
}

/// @return 1 while the connection is good, 0 when the server has gone, a negated error otherwise.
static int take(struct caller *caller, struct limit_http_watch *result) {
    ssize_t got = read(caller->descriptor, caller->bytes + caller->held, answer_bytes - caller->held);
    if (got == 0 || (got < 0 && (errno == ECONNRESET || errno == EPIPE))) return 0;
    if (got < 0) return -errno;
    caller->held += (size_t)got;
    char *end = NULL;
    ssize_t size = answer_size(caller, &end);
    if (size < 0) return -EPROTO;
    if (size == 0) return 1;
    note(caller, end, result);
    caller->held = 0;
    caller->asked = 0;
    return 1;
}

/// Sends what is due. @return as `take`.
static int ask_due(
    struct caller *callers, int connections, int64_t interval, int64_t start, const char *request, size_t size) {
    int64_t now = now_nanos();
    for (int index = 0; index < connections; index++) {
        struct caller *caller = callers + index;
        // `first` is when its next request is due.
        if (caller->asked || now < caller->first) continue;
        if (caller->first == 0) caller->first = start;
        caller->asked = now;
        caller->first = caller->first + interval > now - interval ? caller->first + interval : now;
        if (send(caller->descriptor, request, size, MSG_NOSIGNAL) != (ssize_t)size)
            return errno == ECONNRESET || errno == EPIPE ? 0 : -EIO;
    }
    return 1;
}

static int begin(struct caller *callers, int connections, int poll, int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int index = 0; index < connections; index++) {
        struct caller *caller = callers + index;
        caller->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (caller->descriptor < 0 || connect(caller->descriptor, (struct sockaddr *)&address, sizeof address) != 0)
            return -errno;
        no_delay(caller->descriptor);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = caller};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, caller->descriptor, &event) != 0) return -errno;
    }
    return 0;
}

static int run(
    struct caller *callers, int connections, int poll, int rate, double seconds, const char *request,
    struct limit_http_watch *result) {
    int64_t start = now_nanos(), stop = start + (int64_t)(seconds * 1e9), heard = start;
    int64_t interval = rate > 0 ? INT64_C(1000000000) * connections / rate : 0;
    // Spread over the interval, so that not all ask at once.
    for (int index = 0; index < connections; index++) callers[index].first = start + interval * index / connections;
    size_t size = strlen(request);
    struct epoll_event ready[events_at_once];
    int state = 1;
    while (state == 1 && now_nanos() < stop) {
        state = ask_due(callers, connections, interval, start, request, size);
        int count = state == 1 ? epoll_wait(poll, ready, events_at_once, poll_milliseconds) : 0;
        if (count > 0) heard = now_nanos();
        if (now_nanos() - heard > answer_milliseconds * INT64_C(1000000)) return -ETIMEDOUT;
        for (int index = 0; index < count && state == 1; index++) state = take(ready[index].data.ptr, result);
    }
    return state < 0 ? state : 0;
}

int limit_http_watch(
    int port, int connections, int rate, double seconds, const char *request, struct limit_http_watch *result) {
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct caller *callers = calloc((size_t)connections, sizeof *callers);
    if (poll < 0 || !callers) return -ENOMEM;
    int state = begin(callers, connections, poll, port);
    if (state == 0) state = run(callers, connections, poll, rate, seconds, request, result);
    for (int index = 0; index < connections; index++)
        if (callers[index].descriptor > 0) close(callers[index].descriptor);
    close(poll);
    free(callers);
    return state;
}
