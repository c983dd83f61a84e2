/* A layer of an LSTM (Hochreiter & Schmidhuber 1997, with forget gates), one utterance. What inputs and biases come to is
   a product, made before for all steps; here is what must wait for the step before: its hidden state times a matrix.

Of that matrix a step reads every number once: for LANES units all four gates, hidden number by hidden number. So it comes
at the speed of the second cache, which holds one direction of most networks; each direction is a thread's. */

#include "vectors.h"

#include <string.h>

enum { INPUT, FORGET, CELL, OUTPUT, GATES }; /* as torch orders them */

typedef struct {
    const float *given;   /* step t at t given_row: of each direction (units / LANES, GATES, LANES) */
    const float *weights; /* (directions, units / LANES, units, GATES, LANES) */
    float *state;         /* (directions, 3, units): cells, hidden numbers of the step before, room */
    float *out;           /* step t at t out_row: of each direction (hidden) */
    int64_t steps, given_row, hidden, units, out_row; /* units: hidden, up to whole registers; the rest stays 0 */
} recurrence;

/* What the gates of LANES units hear: given + w h. Two sums for each, or they would wait for themselves. */
INLINE void hear(const float *given, const float *w, const float *h, int64_t units, vec *sums) {
    vec odd[GATES];
    UNROLL for (int gate = 0; gate < GATES; gate++) sums[gate] = load(given + gate * LANES), odd[gate] = (vec){0};
    for (int64_t k = 0; k < units; k += 2, w += 2 * GATES * LANES) {
        vec first = splat(h[k]), second = splat(h[k + 1]);
        UNROLL for (int gate = 0; gate < GATES; gate++) {
            sums[gate] += first * load(w + gate * LANES);
            odd[gate] += second * load(w + (GATES + gate) * LANES);
        }
    }
    UNROLL for (int gate = 0; gate < GATES; gate++) sums[gate] += odd[gate];
}

/* Directions: the first runs from the first step to the last, the second back. */
PUBLIC void sonant_recur(const void *call, const portion *own) {
    const recurrence *r = call;
    int64_t units = r->units;
    for (int64_t direction = own->begin; direction < own->end; direction++) {
        float *cell = r->state + direction * 3 * units, *h = cell + units, *next = h + units;
        for (int64_t step = 0; step < r->steps; step++) {
            int64_t place = direction ? r->steps - 1 - step : step;
            const float *given = r->given + place * r->given_row + direction * GATES * units;
            const float *w = r->weights + direction * GATES * units * units;
            for (int64_t unit = 0; unit < units; unit += LANES) {
                vec sums[GATES];
                hear(given + unit * GATES, w + unit * GATES * units, h, units, sums);
                vec kept = sigmoid(sums[FORGET]) * load(cell + unit) + sigmoid(sums[INPUT]) * hyperbolic(sums[CELL]);
                store(cell + unit, kept);
                store(next + unit, sigmoid(sums[OUTPUT]) * hyperbolic(kept));
            }
            memcpy(r->out + place * r->out_row + direction * r->hidden, next, r->hidden * sizeof(float));
            float *before = h;
            h = next, next = before;
        }
    }
}
