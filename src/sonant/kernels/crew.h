/* How threads wait for each other; and how they make a call of many phases together: they take the parts of a phase in
   turn, and meet at its end. */

#ifndef SONANT_CREW_H
#define SONANT_CREW_H

#include "vectors.h"

#ifdef _WIN32
#include <windows.h>
#define LET_OTHERS SwitchToThread()
#else
#include <sched.h>
#define LET_OTHERS sched_yield()
#endif

#define PATIENCE 4000 /* looks at the others before the core is left to them */

/* Between two looks at what another thread writes; so many looks before. */
INLINE void wait_a_little(int64_t looks) {
    if (looks > PATIENCE) LET_OTHERS;
#if defined(__x86_64__)
    else __builtin_ia32_pause();
#elif defined(__aarch64__)
    else __asm__ volatile("isb");
#endif
}

/* Of each member a copy, for the phase is its own. */
typedef struct {
    int64_t members;
    int64_t *next;    /* what is to be taken in each phase, zeros at first */
    int64_t *arrived; /* a zero at first */
    int64_t phase;    /* zero at first */
} crew;

/* Wait until all are here, which ends a phase. */
static inline void meet(crew *c) {
    int64_t wanted = ++c->phase * c->members;
    __atomic_add_fetch(c->arrived, 1, __ATOMIC_ACQ_REL);
    for (int64_t looks = 0; __atomic_load_n(c->arrived, __ATOMIC_ACQUIRE) < wanted; looks++) wait_a_little(looks);
}

/* The next so many of this phase's parts, the first of them. */
INLINE int64_t take(const crew *c, int64_t count) {
    return __atomic_fetch_add(&c->next[c->phase], count, __ATOMIC_RELAXED);
}

#endif
