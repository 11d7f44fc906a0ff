#pragma once

#include <stdint.h>

/// Lets this thread's waits for events look again and again, for up to so many nanoseconds, before they put it to sleep: as
/// long as most of them last no longer. 0, as at the start of a thread, ends it.
///
/// It concerns waits without an end (epoll_wait with the timeout -1), as an event loop's are. Between two looks whoever else
/// wants the processor has it.
void loop_wait_awake(int64_t nanoseconds);
