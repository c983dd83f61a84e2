/* Products and convolutions in bfloat16 on AMX. Only what products read is rounded; their sums, and all that lies
   between them, stay in float32.

   With products this fast a short convolution is done tap by tap. The steps of a range are dressed and rounded once, into
   the second cache; then a block of 32 steps by 32 outputs stays in four tiles for all its taps and inputs. Long ones are
   done on polynomials (convolutions.c), of which the products at the points are here. */

#if defined(__AMX_BF16__) && defined(__linux__)
#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "convolutions.h"
#include "amx.h"

#define HIGH 256 /* rows of a product that read a panel of weights, out of the first cache, one block after the other */

/* Whether the system lets this process use tiles: it wants to be asked first (Linux, Documentation/arch/x86/xstate). */
PUBLIC int64_t sonant_amx_allowed(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
}

INLINE void multiply(int kind, const product *p, area mine) {
    float sums[BLOCK][PANEL] __attribute__((aligned(64)));
    int64_t strips = p->depth / (kind == BYTES ? STRIP : DEPTH), times = kind == THRICE_HALVES ? 2 : 1;
    int64_t held = times * strips * STRIP, step = p->stride * held, size = p->taps * held * PANEL; /* bytes */
    for (int64_t first = mine.row; first < mine.row_end; first += HIGH) {
        int64_t last = mine.row_end - first < HIGH ? mine.row_end : first + HIGH;
        for (int64_t n = mine.panel; n < mine.panel_end; n++)
            for (int64_t top = first; top < last; top += BLOCK) {
                int64_t rows = last - top < BLOCK ? last - top : BLOCK;
                if (top == first || rows < BLOCK) shape_tiles(rows);
                multiply_block(kind, 0, 0, rows, (const char *)p->inputs + top * step, step, p->taps, held, strips,
                               (const char *)p->weights + n * size, sums[0], PANEL);
                int64_t output = n * PANEL;
                panel_of own = {.bias = p->bias + output};
                if (kind == BYTES)
                    own = (panel_of){p->bias + output, p->weight_scales + output, p->weight_sums + output,
                                     p->input_scales + top, p->zero};
                float *out = p->out + top * p->out_row + output;
                if (p->gelu)
                    finish_block(kind, PUT_GELU, rows, sums, &own, p->gelu + top * p->panels * PANEL + output,
                                 p->panels * PANEL);
                else if (p->more)
                    finish_block(kind, PUT_MORE, rows, sums, &own, out, p->out_row);
                else
                    finish_block(kind, PUT, rows, sums, &own, out, p->out_row);
            }
    }
    _tile_release();
}

/* As sonant_multiply, for bfloat16: weights are (panels, depth / DEPTH, taps, DEPTH / 2, PANEL, 2). */
PUBLIC void sonant_amx_multiply(const void *call, const portion *own) { multiply(HALVES, call, area_of(call, own)); }

/* The same for bytes and one tap: weights are (panels, depth / STRIP, STRIP / 4, PANEL, 4), signed ones. */
PUBLIC void sonant_amx_multiply_bytes(const void *call, const portion *own) {
    multiply(BYTES, call, area_of(call, own));
}

/* The same for bfloat16 thrice: behind each strip of weights what it is off by, and likewise behind a row. */
PUBLIC void sonant_amx_multiply_thrice(const void *call, const portion *own) {
    multiply(THRICE_HALVES, call, area_of(call, own));
}

/* Bytes from step to step of what is dressed: one cache line more than it holds, else all steps share a set. */
INLINE int64_t apart(const convolution *c) { return 2 * c->inputs + 64; }

/* Floats of space that sonant_amx_convolve needs for so many steps. */
PUBLIC int64_t sonant_amx_space(const convolution *c, int64_t steps) {
    return ((steps + c->dilation * (c->kernel - 1)) * apart(c) + 64) / 4;
}

/* Some steps of a convolution. */
PUBLIC void sonant_amx_convolve(const void *call, const portion *own) {
    const convolution *c = call;
    int64_t row = own->begin, row_end = own->end;
    double *moments = c->moments + own->place * 2 * c->outputs;
    float sums[BLOCK][PANEL] __attribute__((aligned(64)));
    int64_t step = apart(c), before = c->dilation * (c->kernel - 1) / 2;
    char *heard = (char *)(((uintptr_t)own->space + 63) / 64 * 64);
    for (int64_t t = row - before; t < row_end + before; t++) {
        uint16_t *to = (uint16_t *)(heard + (t - row + before) * step);
        if (t < 0 || t >= c->rows) {
            memset(to, 0, 2 * c->inputs);
            continue;
        }
        for (int64_t i = 0; i < c->inputs; i += LANES) {
            const float *dress = c->dress + i;
            vec x = load(c->x + t * c->inputs + i) * load(dress) + load(dress + c->inputs);
            store_halves(to + i, snake(x, load(dress + 2 * c->inputs), load(dress + 3 * c->inputs)));
        }
    }
    for (int64_t n = 0; n < c->outputs; n += PANEL) {
        const uint16_t *weights = (const uint16_t *)c->weights + n * c->inputs * c->kernel;
        vec pivot[2] = {{0}}, sum[2] = {{0}}, square[2] = {{0}};
        for (int64_t t = row; t < row_end; t += BLOCK) {
            int64_t rows = row_end - t < BLOCK ? row_end - t : BLOCK;
            if (t == row || rows < BLOCK) shape_tiles(rows);
            for (int64_t r = 0, place = t * c->outputs + n; r < rows; r++, place += c->outputs) {
                expect(c->out + place, 4 * PANEL, 1); /* while tiles are multiplied */
                if (c->residual && c->residual != c->out) expect(c->residual + place, 4 * PANEL, 1);
            }
            multiply_block(HALVES, 0, 0, rows, heard + (t - row) * step, step, c->kernel, c->dilation * step,
                           c->inputs / DEPTH, weights, sums[0], PANEL);
            UNROLL for (int side = 0; side < 2; side++) {
                int64_t place = t * c->outputs + n + side * LANES;
                vec bias = c->bias ? load(c->bias + n + side * LANES) : (vec){0};
                for (int64_t r = 0; r < rows; r++, place += c->outputs) {
                    vec value = load(sums[r] + side * LANES) + bias;
                    if (c->residual) value += load(c->residual + place);
                    store(c->out + place, value);
                    if (t == row && !r) pivot[side] = value;
                    vec distance = value - pivot[side];
                    sum[side] += distance;
                    square[side] += distance * distance;
                }
            }
        }
        for (int side = 0; side < 2; side++)
            add_moments(moments, c->outputs, n + side * LANES, row_end - row, pivot[side], sum[side], square[side]);
    }
    _tile_release();
}

void multiply_points(const convolution *c, int64_t tiles, const uint16_t *in, int64_t in_plane, float *out,
                     int64_t out_plane) {
    float common[BLOCK][PANEL] __attribute__((aligned(64)));
    int64_t size = c->inputs * PANEL, step = 2 * c->inputs, strips = c->inputs / DEPTH;
    for (int64_t point = 0; point < POINTS; point++, in += 3 * in_plane, out += 2 * out_plane) {
        const uint16_t *weights = (const uint16_t *)c->weights + 3 * point * size * (c->outputs / PANEL);
        for (int64_t n = 0; n < c->outputs; n += PANEL, weights += 3 * size)
            for (int64_t top = 0; top < tiles; top += BLOCK) {
                int64_t rows = tiles - top < BLOCK ? tiles - top : BLOCK;
                const char *sum = (const char *)(in + top * c->inputs), *a = sum + 2 * in_plane, *b = a + 2 * in_plane;
                float *re = out + top * c->outputs + n, *im = re + out_plane;
                shape_tiles(rows);
                multiply_block(HALVES, 0, 0, rows, sum, step, 1, 0, strips, weights, common[0], PANEL);
                multiply_block(HALVES, common[0], PANEL, rows, a, step, 1, 0, strips, weights + size, im, c->outputs);
                multiply_block(HALVES, common[0], PANEL, rows, b, step, 1, 0, strips, weights + 2 * size, re,
                               c->outputs);
            }
    }
    _tile_release();
}
#endif
