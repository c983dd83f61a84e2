/* Weights in panels, as products and convolutions on polynomials read them, made panel by panel: what lies between stays in
   the second cache. */

#include <string.h>

#include "convolutions.h"
#include "panels.h"
#include "products.h"

enum { FLOAT32, INT16, BFLOAT16 };

/* A panel (depth, PANEL) as it is multiplied. */
INLINE void put_panel(int kind, const float *from, int64_t depth, char *to, float *scales) {
    if (kind == FLOAT32) memcpy(to, from, depth * PANEL * sizeof(float));
    if (kind == INT16) round_panel(from, depth, (int16_t *)to, scales);
#if defined(__AVX512BF16__)
    if (kind == BFLOAT16) pack_pairs(from, depth, (uint16_t *)to);
#endif
}

/* Panels [panel, panel_end) of a matrix: see product.weights; whole ones have a scale for each output. */
PUBLIC void sonant_pack_matrix(const stored_matrix *m, int64_t whole, int64_t depth, int64_t panels, int64_t panel,
                               int64_t panel_end, char *to, float *scales) {
    float block[DEEP * PANEL] __attribute__((aligned(64)));
    int64_t size = whole ? sizeof(int16_t) : sizeof(float);
    for (; panel < panel_end; panel++) {
        char *out = to;
        float *levels = scales + panel * PANEL;
        for (int64_t tap = 0; tap < m->taps; tap++)
            for (int64_t k = 0; k < depth; k += DEEP, levels += panels * PANEL) {
                int64_t count = depth - k < DEEP ? depth - k : DEEP;
                gather(m, tap, k, k + count, panel, block);
                put_panel(whole ? INT16 : FLOAT32, block, count, out + panel * count * PANEL * size, levels);
                out += panels * count * PANEL * size;
            }
    }
}

/* Floats of space that sonant_pack_points needs. */
PUBLIC int64_t sonant_pack_points_space(const stored_matrix *m, int64_t depth) { return (m->taps + 3) * depth * PANEL; }

/* Panels [panel, panel_end) of a convolution's weights at the points, last tap first; see convolution.weights. Roots, (2,
   POINTS, taps), are the real and imaginary parts of the points' powers. */
PUBLIC void sonant_pack_points(const stored_matrix *m, const float *roots, int64_t kind, int64_t depth, int64_t panels,
                               int64_t panel, int64_t panel_end, float *space, char *to, float *scales) {
    int64_t plane = depth * PANEL, bytes = plane * (kind == FLOAT32 ? 4 : 2), taps = m->taps;
    float *made = space + taps * plane;
    for (; panel < panel_end; panel++) {
        for (int64_t tap = 0; tap < taps; tap++) gather(m, tap, 0, depth, panel, space + tap * plane);
        for (int64_t point = 0; point < POINTS; point++) {
            const float *real = roots + point * taps, *imaginary = real + POINTS * taps;
            for (int64_t i = 0; i < plane; i += LANES) {
                vec re = {0}, im = {0};
                for (int64_t tap = 0; tap < taps; tap++) {
                    vec number = load(space + tap * plane + i);
                    re += real[tap] * number;
                    im += imaginary[tap] * number;
                }
                store(made + i, re);
                store(made + plane + i, im - re);
                store(made + 2 * plane + i, -re - im);
            }
            for (int part = 0; part < 3; part++) {
                int64_t place = 3 * (point * panels + panel) + part;
                put_panel(kind, made + part * plane, depth, to + place * bytes, scales + place * PANEL);
            }
        }
    }
}

#if defined(__AMX_BF16__) && defined(__linux__)
#include "amx.h"

/* Panels [panel, panel_end) of a matrix in bfloat16, as multiply_block reads them: (panels, depth / DEPTH, taps, DEPTH / 2,
   PANEL, 2). For a product thrice each tap is two: what is near it, and what that is off by. */
PUBLIC void sonant_amx_pack(const stored_matrix *m, int64_t thrice, int64_t depth, int64_t panel, int64_t panel_end,
                            uint16_t *to) {
    float block[DEPTH * PANEL] __attribute__((aligned(64)));
    int64_t size = DEPTH * PANEL;
    to += panel * m->taps * (thrice ? 2 : 1) * depth * PANEL;
    for (; panel < panel_end; panel++)
        for (int64_t k = 0; k < depth; k += DEPTH)
            for (int64_t tap = 0; tap < m->taps; tap++, to += size) {
                gather(m, tap, k, k + DEPTH, panel, block);
                pack_pairs(block, DEPTH, to);
                if (!thrice) continue;
                for (int64_t i = 0; i < size; i += LANES) {
                    vec number = load(block + i);
                    store(block + i, number - (vec)(halves(number) << 16));
                }
                pack_pairs(block, DEPTH, to += size);
            }
}

/* The same of one tap, out of (outputs, inputs), rows apart; zeros behind both. */
PUBLIC void sonant_amx_pack_rows(const float *from, int64_t apart, int64_t inputs, int64_t outputs, int64_t depth,
                                 int64_t panel, int64_t panel_end, uint16_t *to) {
    to += panel * depth * PANEL;
    for (; panel < panel_end; panel++)
        for (int64_t k = 0; k < depth; k += DEPTH, to += DEPTH * PANEL)
            for (int64_t n = 0; n < PANEL; n++) {
                const float *row = from + (panel * PANEL + n) * apart + k;
                int64_t some = panel * PANEL + n < outputs ? inputs - k : 0;
                uint16_t pairs[DEPTH];
                for (int i = 0; i < DEPTH; i += LANES) store_halves(pairs + i, load_part(row + i, some - i));
                for (int i = 0; i < DEPTH; i += 2) memcpy(to + i * PANEL + 2 * n, pairs + i, 4);
            }
}
#endif
