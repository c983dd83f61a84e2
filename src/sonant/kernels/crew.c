/* How threads share a call: its portions are taken in turn by whoever is there.

   Waking a thread takes longer than many a call. So a helper looks out for the next call for a while before it goes, and
   a call waits only for the helpers that are in it: one that comes late finds that the work is done. */

#include "crew.h"

#define LONGEST_WAIT 40000 /* looks for a call, one or two milliseconds */

typedef void kernel(const void *call, const portion *own);

typedef struct {
    kernel *work;
    const void *call;
    int64_t total, portions;
    float *const *spaces; /* of each member */
    int64_t *present;     /* of each member, whether it looks out for calls */
    int64_t held;         /* helpers that are present stay */
    int64_t dismissed;    /* they go at once */
    int64_t apart[8], number; /* of the call, odd while it is open */
    int64_t more_apart[8], next; /* portion to be taken */
    int64_t last_apart[8], inside; /* helpers that are in the call */
} desk;

INLINE int64_t look(const int64_t *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
INLINE void add(int64_t *to, int64_t count) { __atomic_add_fetch(to, count, __ATOMIC_SEQ_CST); }

static void work(desk *d, int64_t member) {
    for (int64_t place; (place = __atomic_fetch_add(&d->next, 1, __ATOMIC_RELAXED)) < d->portions;) {
        portion own = {d->total * place / d->portions, d->total * (place + 1) / d->portions, place, d->spaces[member]};
        d->work(d->call, &own);
    }
}

/* Let no helper go before the next call, so that the caller can count on those that are present. */
PUBLIC void sonant_hold(desk *d) { __atomic_store_n(&d->held, 1, __ATOMIC_SEQ_CST); }

/* The call that is described: open it, work as member 0 until nothing is left, and end it. */
PUBLIC void sonant_run(desk *d) {
    d->next = 0;
    add(&d->number, 1);
    work(d, 0);
    add(&d->number, 1);
    for (int64_t looks = 0; look(&d->inside); looks++) wait_a_little(looks);
}

/* Help as this member with the calls that come, until none has come for a while. One thread at a time is a member. */
PUBLIC void sonant_help(desk *d, int64_t member) {
    int64_t seen = 0;
    if (__atomic_exchange_n(&d->present[member], 1, __ATOMIC_SEQ_CST)) return;
    for (int64_t looks = 0;; looks++) {
        int64_t number = look(&d->number);
        if (number % 2 && number != seen) {
            add(&d->inside, 1);
            if (look(&d->number) == number) work(d, member);
            add(&d->inside, -1);
            seen = number, looks = 0;
        } else if (look(&d->dismissed) || (looks > LONGEST_WAIT && !look(&d->held))) {
            __atomic_store_n(&d->present[member], 0, __ATOMIC_SEQ_CST); /* it may have been held and counted on since */
            if (!look(&d->held) || __atomic_exchange_n(&d->present[member], 1, __ATOMIC_SEQ_CST)) return;
        } else
            wait_a_little(0);
    }
}
