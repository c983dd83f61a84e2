/* Rows that weren't computed, from those that were: a row is what it usually is, plus what the nearest computed ones before
   and behind it are more than usual, by its distance to them. */

#include "vectors.h"

#include <string.h>

typedef struct {
    const float *made;             /* rows that were computed, made_row apart */
    const uint16_t *usual;         /* (rows, width) float16, of all of them */
    const int64_t *places;         /* of the computed rows, among all */
    const int64_t *before, *after; /* of each row: which computed one; its own, twice, where it is one */
    const float *shares;           /* of the one behind it */
    float *out;                    /* (rows, width) */
    int64_t made_row, width;       /* a multiple of LANES */
} filling;

PUBLIC void sonant_fill(const void *call, const portion *own) {
    const filling *f = call;
    for (int64_t row = own->begin; row < own->end; row++) {
        int64_t before = f->before[row], after = f->after[row];
        const float *first = f->made + before * f->made_row, *last = f->made + after * f->made_row;
        float *out = f->out + row * f->width, share = f->shares[row];
        if (f->places[before] == row) {
            memcpy(out, first, f->width * sizeof(float));
            continue;
        }
        const uint16_t *usual = f->usual + row * f->width, *left = f->usual + f->places[before] * f->width;
        const uint16_t *right = f->usual + f->places[after] * f->width;
        for (int64_t i = 0; i < f->width; i += LANES) {
            vec more = load(first + i) - load_float16(left + i), less = load(last + i) - load_float16(right + i);
            store(out + i, load_float16(usual + i) + more + (less - more) * share);
        }
    }
}
