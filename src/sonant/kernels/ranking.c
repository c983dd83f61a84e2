/* What a search asks of a row of logits: the largest of them, and the logarithm of the sum of all exponentials. */

#include "vectors.h"

#include <math.h>

#define TOGETHER 64 /* registers whose sum is float32; such sums are added up as doubles */

/* Puts a logit among the largest so far, behind those that are as large. */
INLINE void put_among(int64_t best, int64_t there, int64_t id, float value, int64_t *ids, float *values) {
    int64_t place = there < best ? there : best - 1;
    for (; place && values[place - 1] < value; place--) ids[place] = ids[place - 1], values[place] = values[place - 1];
    ids[place] = id, values[place] = value;
}

/* Rows of count logits, each row so far from the next: the ids of the best largest, the largest first and of equal ones the
   lower id first; and to values these logits and, behind them, the logarithm of the sum of exponentials. best is at most
   count. */
PUBLIC void sonant_rank(const float *logits, int64_t rows, int64_t row, int64_t count, int64_t best, int64_t *ids,
                        float *values) {
    for (; rows--; logits += row, ids += best, values += best + 1) {
        int64_t whole = count / LANES * LANES, place = best;
        for (int64_t i = 0; i < best; i++) put_among(best, i, i, logits[i], ids, values);
        for (; place < count; place++) {
            if (place % LANES == 0)
                while (place < whole && !any(load(logits + place) > splat(values[best - 1]))) place += LANES;
            if (place < count && logits[place] > values[best - 1])
                put_among(best, best, place, logits[place], ids, values);
        }
        float peak = values[0];
        double sum = 0;
        for (int64_t i = 0; i < whole; i += TOGETHER * LANES) {
            int64_t end = i + TOGETHER * LANES < whole ? i + TOGETHER * LANES : whole;
            vec part = {0};
            for (int64_t k = i; k < end; k += LANES) part += exponential(load(logits + k) - peak);
            sum += total(part);
        }
        for (int64_t i = whole; i < count; i++) sum += exponential(splat(logits[i] - peak))[0];
        values[best] = peak == -HUGE_VALF ? peak : (float)(peak + log(sum)); /* where nothing is allowed */
    }
}
