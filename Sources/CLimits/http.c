// An upstream that answers at once and a load generator: one thread and epoll each, nothing but the system calls.
#define _GNU_SOURCE
#include "CLimits.h"
#include "http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { request_bytes = 65536, chunks = 20 };

// MARK: The upstream

static const char small_body[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"Hello! How can I help you today?\",\"refusal\":null},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,\"prompt_tokens_details\":{\"cached_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0}},\"service_tier\":\"default\"}";

static char small_answer[2048];
static size_t small_size;
static char stream_answer[32768];
static size_t stream_size;

static size_t add_chunk(char *to, const char *text) { return (size_t)sprintf(to, "%zx\r\n%s\r\n", strlen(text), text); }

static void make_answers(void) {
    small_size = (size_t)sprintf(
        small_answer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_1\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(small_body), small_body);
    char *at = stream_answer;
    at += sprintf(
        at, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nx-request-id: req_1\r\nTransfer-Encoding: chunked\r\n\r\n");
    char event[1024];
    for (int chunk = 0; chunk < chunks - 2; chunk++) {
        sprintf(
            event,
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-4o-mini\","
            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%d\"},\"finish_reason\":null}],\"usage\":null}\n\n",
            chunk);
        at += add_chunk(at, event);
    }
    at += add_chunk(
        at,
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-4o-mini\",\"choices\":[],"
        "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":18,\"total_tokens\":37}}\n\n");
    at += add_chunk(at, "data: [DONE]\n\n");
    at += sprintf(at, "0\r\n\r\n");
    stream_size = (size_t)(at - stream_answer);
}

struct peer {
    int descriptor;
    size_t held;
    char bytes[request_bytes];
};

/// @return the size of the first whole request, 0 if there is none, -1 if there never will be.
static ssize_t request_size(struct peer *peer) {
    char *end = memmem(peer->bytes, peer->held, "\r\n\r\n", 4);
    if (!end) return peer->held == request_bytes ? -1 : 0;
    size_t size = (size_t)(end + 4 - peer->bytes);
    *end = 0;
    char *length = strcasestr(peer->bytes, "content-length:");
    *end = '\r';
    if (length) size += strtoul(length + 15, NULL, 10);
    if (size > request_bytes) return -1;
    return size <= peer->held ? (ssize_t)size : 0;
}

static bool serve(struct peer *peer) {
    ssize_t got = read(peer->descriptor, peer->bytes + peer->held, request_bytes - peer->held);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    peer->held += (size_t)got;
    for (;;) {
        ssize_t size = request_size(peer);
        if (size <= 0) return size == 0;
        bool streams = memmem(peer->bytes, (size_t)size, "\"stream\":true", 13) != NULL;
        const char *answer = streams ? stream_answer : small_answer;
        size_t count = streams ? stream_size : small_size;
        // Smaller than any socket's buffer, and nobody asks again before it has been read.
        if (write(peer->descriptor, answer, count) != (ssize_t)count) return false;
        peer->held -= (size_t)size;
        memmove(peer->bytes, peer->bytes + size, peer->held);
    }
}

int limit_http_listen(int *port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return -errno;
    *port = ntohs(address.sin_port);
    return listener;
}

int limit_http_serve(int listener) {
    make_answers();
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event) != 0) return -errno;
    struct epoll_event ready[events_at_once];
    for (;;) {
        int count = epoll_wait(poll, ready, events_at_once, -1);
        if (count < 0 && errno != EINTR) return -errno;
        for (int index = 0; index < count; index++) {
            struct peer *peer = ready[index].data.ptr;
            if (peer) {
                if (serve(peer)) continue;
                close(peer->descriptor);
                free(peer);
                continue;
            }
            int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (descriptor < 0) continue;
            no_delay(descriptor);
            peer = malloc(sizeof *peer);
            if (!peer) return -ENOMEM;
            peer->descriptor = descriptor;
            peer->held = 0;
            struct epoll_event new = {.events = EPOLLIN, .data.ptr = peer};
            if (epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &new) != 0) return -errno;
        }
    }
}

// MARK: The load

enum { tenths_of_microseconds = 1000000 };
static const int64_t patience_nanos = INT64_C(5000000000);

struct histogram {
    int64_t count;
    uint32_t *times;
};

static void add(struct histogram *histogram, int64_t nanos) {
    int64_t place = nanos / 100;
    histogram->times[place < tenths_of_microseconds ? place : tenths_of_microseconds - 1]++;
    histogram->count++;
}

static double at_share(const struct histogram *histogram, double share) {
    int64_t below = 0;
    for (int place = 0; place < tenths_of_microseconds; place++) {
        below += histogram->times[place];
        if (below > share * (double)histogram->count) return place / 10000.0;
    }
    return tenths_of_microseconds / 10000.0;
}

static bool ask(struct caller *caller, const char *request, size_t size) {
    caller->held = 0;
    caller->first = 0;
    caller->asked = now_nanos();
    return write(caller->descriptor, request, size) == (ssize_t)size;
}

/// @return 1 for a whole answer, 0 for a part of one, -1 for what is none or no success.
static int whole(struct caller *caller, bool streams) {
    if (caller->held >= 12 && memcmp(caller->bytes, "HTTP/1.1 200", 12) != 0) return -1;
    if (streams) return caller->held > 5 && memcmp(caller->bytes + caller->held - 5, "0\r\n\r\n", 5) == 0;
    char *end = memmem(caller->bytes, caller->held, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    char *length = strcasestr(caller->bytes, "content-length:");
    *end = '\r';
    if (!length) return -1;
    return caller->held >= (size_t)(end + 4 - caller->bytes) + strtoul(length + 15, NULL, 10);
}

/// Asks on each connection that is free and due. @return nanoseconds until the next one is due, -1 if none can be asked.
static int64_t ask_due(struct caller *callers, int connections, int64_t step, const char *request, size_t size) {
    int64_t next = INT64_MAX, now = now_nanos();
    for (int index = 0; index < connections; index++) {
        struct caller *caller = callers + index;
        if (!caller->is_free) continue;
        if (caller->due <= now) {
            if (!ask(caller, request, size)) return -1;
            caller->is_free = false;
            caller->asked = caller->due;
            caller->due += step;
        } else if (caller->due - now < next) {
            next = caller->due - now;
        }
    }
    return next;
}

int limit_http_load(
    int port, int connections, int rate, double seconds, const char *request, int streams,
    struct limit_http_load *result) {
    size_t size = strlen(request);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct caller *callers = calloc((size_t)connections, sizeof *callers);
    struct histogram ends = {0, calloc(tenths_of_microseconds, sizeof(uint32_t))};
    struct histogram firsts = {0, calloc(tenths_of_microseconds, sizeof(uint32_t))};
    if (poll < 0 || !callers || !ends.times || !firsts.times) return -ENOMEM;
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
    int64_t start = now_nanos(), stop = start + (int64_t)(seconds * 1e9), now = start;
    int64_t step = rate ? (int64_t)(1e9 * connections / rate) : 0;
    for (int index = 0; index < connections; index++) {
        callers[index].due = start + step * index / connections;
        callers[index].is_free = rate > 0;
        if (!rate && !ask(callers + index, request, size)) return -EIO;
    }
    struct epoll_event ready[events_at_once];
    while (now < stop) {
        int64_t pause = rate ? ask_due(callers, connections, step, request, size) : INT64_MAX;
        if (pause < 0) return -EIO;
        if (pause > patience_nanos) pause = patience_nanos;
        struct timespec limit = {pause / 1000000000, pause % 1000000000};
        int count = epoll_pwait2(poll, ready, events_at_once, &limit, NULL);
        if (count < 0) return -errno;
        if (count == 0 && pause == patience_nanos) return -ETIMEDOUT;
        now = now_nanos();
        for (int index = 0; index < count; index++) {
            struct caller *caller = ready[index].data.ptr;
            ssize_t got = read(caller->descriptor, caller->bytes + caller->held, answer_bytes - caller->held);
            if (got <= 0) return got == 0 ? -ECONNRESET : -errno;
            now = now_nanos();
            if (!caller->first) {
                caller->first = now;
                add(&firsts, now - caller->asked);
            }
            caller->held += (size_t)got;
            int end = whole(caller, streams);
            if (end < 0) return -EPROTO;
            if (end == 0) continue;
            add(&ends, now - caller->asked);
            if (rate) caller->is_free = true;
            else if (now < stop && !ask(caller, request, size)) return -EIO;
        }
    }
    result->answers = ends.count;
    result->seconds = (double)(now - start) / 1e9;
    result->median_ms = at_share(&ends, 0.5);
    result->p99_ms = at_share(&ends, 0.99);
    result->first_byte_ms = at_share(&firsts, 0.5);
    for (int index = 0; index < connections; index++) close(callers[index].descriptor);
    close(poll);
    free(callers);
    free(ends.times);
    free(firsts.times);
    return 0;
}
