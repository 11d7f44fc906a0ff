#define _GNU_SOURCE
#include "CRuntime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

static int release_object(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        // What was writable once (relocations, too) has contents of its own; the rest is the file's.
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
        uintptr_t start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_memsz) & ~(page - 1);
        if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void runtime_release_start_pages(void) {
    malloc_trim(0);
    dl_iterate_phdr(release_object, NULL);
}

int runtime_limit_heaps(int heaps) {
    // Setting either keeps glibc from raising both to what was ever freed at once, after which it gives nothing back.
    bool is_set = mallopt(M_MMAP_THRESHOLD, 128 << 10) == 1 && mallopt(M_TRIM_THRESHOLD, 512 << 10) == 1;
    return is_set && mallopt(M_ARENA_MAX, heaps) == 1 ? 0 : -1;
}

int runtime_hide_memory(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int runtime_keep_on_processor(int index, int count) {
    cpu_set_t all, own;
    if (sched_getaffinity(getpid(), sizeof all, &all) != 0) return -1;
    if (CPU_COUNT(&all) != count) return 0;
    CPU_ZERO(&own);
    for (int processor = 0; processor < CPU_SETSIZE; processor++) {
        if (CPU_ISSET(processor, &all) && index-- == 0) CPU_SET(processor, &own);
    }
    return sched_setaffinity(0, sizeof own, &own) == 0 ? gettid() : -1;
}

int runtime_free_other_threads(const int *kept, int count) {
    cpu_set_t all, own;
    if (sched_getaffinity(getpid(), sizeof all, &all) != 0) return -1;
    DIR *threads = opendir("/proc/self/task");
    if (!threads) return -1;
    int failure = 0;
    for (struct dirent *entry; (entry = readdir(threads));) {
        int thread = atoi(entry->d_name);
        bool is_kept = thread == 0;
        for (int place = 0; place < count; place++) is_kept = is_kept || kept[place] == thread;
        // One that has ended in the meantime is no failure.
        if (is_kept || sched_getaffinity(thread, sizeof own, &own) != 0 || CPU_EQUAL(&own, &all)) continue;
        if (sched_setaffinity(thread, sizeof all, &all) != 0 && errno != ESRCH) failure = errno;
    }
    closedir(threads);
    errno = failure;
    return failure ? -1 : 0;
}
