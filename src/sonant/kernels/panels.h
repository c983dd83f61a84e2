/* Matrices as a checkpoint holds them, on their way into panels (panels.c, amx.c). */

#ifndef SONANT_PANELS_H
#define SONANT_PANELS_H

#include "vectors.h"

typedef struct {
    const float *numbers, *factors; /* of each output, times which it is taken; or none */
    int64_t taps, inputs, outputs;
    int64_t tap_step, input_step, output_step; /* floats from one to the next */
} stored_matrix;

/* Inputs [k, k_end) of a tap and a panel of outputs: (k_end - k, PANEL), zeros beyond the matrix. */
INLINE void gather(const stored_matrix *m, int64_t tap, int64_t k, int64_t k_end, int64_t panel, float *to) {
    int64_t output = panel * PANEL, last = k_end < m->inputs ? k_end : m->inputs;
    const float *from = m->numbers + tap * m->tap_step + output * m->output_step;
    for (int64_t l = 0; l < PANEL; l++, output++, from += m->output_step) {
        int64_t i = k;
        if (output < m->outputs) {
            float factor = m->factors ? m->factors[output] : 1;
            for (; i < last; i++) to[(i - k) * PANEL + l] = from[i * m->input_step] * factor;
        }
        for (; i < k_end; i++) to[(i - k) * PANEL + l] = 0;
    }
}

#if defined(__AVX512BF16__)
/* Rows (count, PANEL), count even, in bfloat16, two by two as tiles read them: (count / 2, PANEL, 2). */
INLINE void pack_pairs(const float *from, int64_t count, uint16_t *to) {
    for (int64_t i = 0; i < count; i += 2, from += 2 * PANEL)
        for (int side = 0; side < PANEL; side += LANES, to += PANEL)
            *(unaligned_ints *)to = halves(load(from + side)) | halves(load(from + PANEL + side)) << 16;
}
#endif

#endif
