#pragma once

#include <stdint.h>

/// Cells of a terminal that a code point takes by the locale in force; -1 for one that cannot be shown.
/// wcwidth(3) is declared for X/Open programs only, which Swift's view of glibc is not.
int runtime_cell_width(uint32_t code_point);

/// Opens a new file without a name, for this process and those it hands it to; -1 and errno on failure.
int runtime_open_unnamed(const char *directory);

/// pipe(2) whose ends no child inherits by accident.
int runtime_pipe(int ends[2]);

/// Gives back the memory that only the start needed: unmaps the read-only pages of the program and its libraries, which
/// come back from the page cache when they are used again, and trims the heap.
void runtime_release_start_pages(void);

/// Lets glibc's malloc have at most so many heaps, each of which keeps what its threads once needed, and give large blocks
/// back when they are freed; -1 where it cannot be told. Called before the program has threads.
int runtime_limit_heaps(int heaps);

/// Keeps this process's memory out of core dumps of every kind and away from other programs of the same user; -1 and
/// errno on failure.
int runtime_hide_memory(void);

/// Keeps the calling thread on the one at `index` of the processors that this process may use, if those are `count`.
/// The threads that it starts are kept there, too, until runtime_free_other_threads.
/// @return the thread's number, 0 where there are more or fewer processors, -1 and errno on failure.
int runtime_keep_on_processor(int index, int count);

/// Lets all threads of this process but those of `count` in `kept` run where its first thread may; -1 and errno on failure.
int runtime_free_other_threads(const int *kept, int count);
