/* Transformer layers on the tiles of AMX, all of them in one call that the threads make together.

   What lies between the products of a layer would not fit the second cache for all rows at once, and then costs as much
   as the products. So a slab of rows goes from the attention of one layer to the queries, keys and values of the next;
   these are written as the attention reads them. Threads meet before it and after it.

   Products are of bfloat16; those of the inner part, two thirds of all, may be of bytes, with a scale for each row and
   output. Only what they read is rounded: sums, norms and what the layers add to stay in float32. */

#if defined(__AMX_INT8__) && defined(__linux__)
#include <string.h>

#include "attention.h"
#include "crew.h"
#include "products.h"
#include "amx.h"

#define BLOCKS_AT_ONCE 4 /* of queries that a thread takes at a time */
#define MIDDLE 128       /* the byte for 0; of what GELU makes, which is hardly ever negative, */
#define LOW 32

typedef struct {
    const void *weights;   /* as sonant_amx_multiply, or sonant_amx_multiply_bytes, reads them */
    const float *scales;   /* of bytes: (panels, PANEL) */
    const int32_t *sums;   /* the same */
    const float *bias;     /* (panels, PANEL) */
    int64_t depth, panels;
} tiled;

typedef struct {
    const tiled *products; /* of each layer: queries (scaled), keys and values; what attention made; and for each part of
                              the inner width, to it and back */
    const float *norms;    /* scale and shift, (layers, 2, 2, width) */
    int64_t layers, width, heads, size, part, parts; /* whole panels; a part of the inner width, and how many */
    int64_t whole, before; /* the inner part in bytes; norms stand before attention and inner part, not behind them */
    float epsilon;         /* of the norms */
} stack;

typedef struct {
    float *hidden;              /* (rows, width), in place */
    uint16_t *queries, *heard;  /* (rows, width) in bfloat16 */
    uint16_t *keys, *values;    /* as sonant_amx_pack_heads leaves them */
    const stack *layers;
    int64_t rows, slab;         /* a slab's rows are a multiple of BLOCK */
    crew together;
} run;

/* Rows as a product reads them: bfloat16, or bytes with a scale for each and one that stands for 0. */
typedef struct {
    const char *numbers;
    int64_t step; /* bytes from row to row */
    const float *scales;
    int64_t zero;
} operand;

/* A thread's way through the layers. */
typedef struct {
    const stack *k;
    const run *s;
    crew all;
    int64_t top, rows; /* of the slab */
    char *normed, *bytes; /* of the slab: rows of what goes through the layers; of what the inner part makes */
    float *scales;        /* of both */
    uint16_t *inner;      /* (slab, part), inner_row apart */
    int64_t step, inner_row;
    float *row;
} member;

/* ---- rows of a slab on their way into a product ---- */

INLINE operand take_hidden(int kind, const member *m, const float *norm) {
    const stack *k = m->k;
    dress how = {norm, norm + k->width, k->epsilon, 0, NONE};
    for (int64_t r = 0; r < m->rows; r++) {
        char *to = m->normed + r * m->step;
        memcpy(m->row, m->s->hidden + (m->top + r) * k->width, k->width * sizeof(float));
        if (norm) dress_row(&how, m->row, k->width, k->width);
        if (kind == BYTES)
            m->scales[r] = round_bytes(m->row, k->width, MIDDLE, (uint8_t *)to);
        else
            for (int64_t i = 0; i < k->width; i += LANES) store_halves((uint16_t *)to + i, load(m->row + i));
    }
    return (operand){m->normed, m->step, m->scales, MIDDLE};
}

INLINE operand take_inner(int kind, const member *m) {
    const uint16_t *from = m->inner;
    if (kind != BYTES) return (operand){(const char *)from, 2 * m->inner_row, 0, 0};
    float *scales = m->scales + m->s->slab;
    for (int64_t r = 0; r < m->rows; r++, from += m->inner_row) {
        for (int64_t i = 0; i < m->k->part; i += LANES) store(m->row + i, widened(from + i));
        scales[r] = round_bytes(m->row, m->k->part, LOW, (uint8_t *)m->bytes + r * m->step);
    }
    return (operand){m->bytes, m->step, scales, LOW};
}

/* ---- products ---- */

#define PUT_HEADS (-1) /* beside the others of amx.h: on their way to the attention */

/* A block of keys and one panel of a head's channels, where the scores' tiles read them. */
INLINE void put_keys(const float sums[BLOCK][PANEL], uint16_t *to) {
    uint32_t pairs[BLOCK][PANEL / 2];
    for (int r = 0; r < BLOCK; r++) store_two(pairs[r], load(sums[r]), load(sums[r] + LANES));
    for (int i = 0; i < PANEL / 2; i++)
        for (int r = 0; r < BLOCK; r++) memcpy(to + (i * PANEL + r) * 2, &pairs[r][i], sizeof(uint32_t));
}

/* The same for values. */
INLINE void put_values(const float sums[BLOCK][PANEL], uint16_t *to) {
    for (int r = 0; r < BLOCK; r += 2)
        for (int side = 0; side < PANEL; side += LANES, to += PANEL)
            *(unaligned_ints *)to = halves(load(sums[r] + side)) | halves(load(sums[r + 1] + side)) << 16;
}

/* A block's sums, finished in place, on their way to the attention. */
static void put_heads(const member *m, int64_t row, int64_t rows, int64_t output, const float sums[BLOCK][PANEL]) {
    const stack *k = m->k;
    int64_t kind = output / k->width, own = output % k->width, head = own / k->size, channel = own % k->size;
    int64_t wide = panels_of(m->s->rows) * PANEL;
    if (kind == 0)
        for (int64_t r = 0; r < rows; r++) {
            vec low = load(sums[r]) * LOG2_E, high = load(sums[r] + LANES) * LOG2_E; /* weights are powers of two */
            store_two(m->s->queries + (row + r) * k->width + own, low, high);
        }
    else if (kind == 1)
        put_keys(sums, m->s->keys + (head * wide + row) * k->size + channel * PANEL);
    else
        put_values(sums, m->s->values + (head * k->size + channel) * wide + row * PANEL);
}

/* The slab's rows times a matrix. */
INLINE void multiply(int kind, int how, const member *m, operand a, const tiled *w) {
    float sums[BLOCK][PANEL] __attribute__((aligned(64)));
    int64_t strips = w->depth / (kind == BYTES ? STRIP : DEPTH), width = m->k->width;
    const char *weights = w->weights;
    for (int64_t n = 0; n < w->panels; n++, weights += strips * STRIP * PANEL) {
        for (int64_t top = 0; top < m->rows; top += BLOCK) {
            int64_t rows = m->rows - top < BLOCK ? m->rows - top : BLOCK;
            if (!top || rows < BLOCK) shape_tiles(rows);
            multiply_block(kind, 0, 0, rows, a.numbers + top * a.step, a.step, 1, 0, strips, weights, sums[0], PANEL);
            int64_t output = n * PANEL;
            panel_of own = {.bias = w->bias + output};
            if (kind == BYTES)
                own = (panel_of){w->bias + output, w->scales + output, w->sums + output, a.scales + top, a.zero};
            if (how == PUT_MORE)
                finish_block(kind, PUT_MORE, rows, sums, &own, m->s->hidden + (m->top + top) * width + output, width);
            if (how == PUT_GELU)
                finish_block(kind, PUT_GELU, rows, sums, &own, m->inner + top * m->inner_row + output, m->inner_row);
            if (how != PUT_HEADS) continue;
            finish_block(kind, PUT, rows, sums, &own, sums[0], PANEL);
            memset(sums[rows], 0, (BLOCK - rows) * sizeof sums[0]); /* keys that aren't there */
            put_heads(m, m->top + top, rows, output, sums);
        }
    }
}

/* ---- a layer ---- */

static void ask(const member *m, const tiled *w, const float *norm) {
    multiply(HALVES, PUT_HEADS, m, take_hidden(HALVES, m, m->k->before ? norm : 0), w);
}

/* Norms that stand behind. */
static void norm_hidden(const member *m, const float *norm) {
    const stack *k = m->k;
    dress how = {norm, norm + k->width, k->epsilon, 0, NONE};
    float *row = m->s->hidden + m->top * k->width;
    for (int64_t r = 0; r < m->rows; r++, row += k->width) dress_row(&how, row, k->width, k->width);
}

/* What comes behind the attention. */
INLINE void finish(int kind, const member *m, const tiled *w, const float *norms) {
    const stack *k = m->k;
    operand attended = {(const char *)(m->s->heard + m->top * k->width), 2 * k->width, 0, 0};
    multiply(HALVES, PUT_MORE, m, attended, w);
    if (!k->before) norm_hidden(m, norms);
    operand heard = take_hidden(kind, m, k->before ? norms + 2 * k->width : 0);
    for (int64_t part = 0; part < k->parts; part++) {
        multiply(kind, PUT_GELU, m, heard, ++w);
        multiply(kind, PUT_MORE, m, take_inner(kind, m), ++w);
    }
    if (!k->before) norm_hidden(m, norms + 2 * k->width);
}

static void attend_blocks(const member *m, int64_t unit, float *space) {
    const stack *k = m->k;
    int64_t blocks = (m->s->rows + BLOCK - 1) / BLOCK, wide = panels_of(m->s->rows) * PANEL;
    for (int64_t end = unit + BLOCKS_AT_ONCE; unit < end && unit < k->heads * blocks; unit++) {
        int64_t head = unit / blocks, row = unit % blocks * BLOCK, at = row * k->width + head * k->size;
        int64_t rows = m->s->rows - row < BLOCK ? m->s->rows - row : BLOCK;
        float *made = attend_tiles(rows, m->s->queries + at, k->width, m->s->rows, k->size,
                                   m->s->keys + head * wide * k->size, m->s->values + head * wide * k->size, space);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < k->size; i += PANEL)
                store_two(m->s->heard + at + r * k->width + i, load(made + r * k->size + i),
                          load(made + r * k->size + i + LANES));
    }
}

INLINE void all_layers(int kind, member *m, float *space) {
    const stack *k = m->k;
    const tiled *w = k->products;
    int64_t slabs = (m->s->rows + m->s->slab - 1) / m->s->slab, products = 2 + 2 * k->parts;
    for (int64_t layer = 0; layer <= k->layers; layer++, w += products) {
        for (int64_t slab; (slab = take(&m->all, 1)) < slabs;) {
            m->top = slab * m->s->slab;
            m->rows = m->s->rows - m->top < m->s->slab ? m->s->rows - m->top : m->s->slab;
            if (layer) finish(kind, m, w - products + 1, k->norms + 4 * (layer - 1) * k->width);
            if (layer < k->layers) ask(m, w, k->norms + 4 * layer * k->width);
        }
        if (layer == k->layers) break;
        meet(&m->all);
        for (int64_t unit; (unit = take(&m->all, BLOCKS_AT_ONCE)) < k->heads * ((m->s->rows + BLOCK - 1) / BLOCK);)
            attend_blocks(m, unit, space);
        meet(&m->all);
    }
}

INLINE int64_t longest(const stack *k) { return k->width > k->part ? k->width : k->part; }

/* Bytes from row to row of what a product reads: a line more than it holds, else all rows share a set of the cache. */
INLINE int64_t apart(const stack *k) { return (2 * k->width > k->part ? 2 * k->width : k->part) + STRIP; }

/* Floats of space that a thread needs. */
PUBLIC int64_t sonant_amx_layers_space(const run *s) {
    const stack *k = s->layers;
    int64_t own = s->slab * (2 * apart(k) / 4 + (k->part + DEPTH) / 2 + 2) + longest(k) + 16;
    return own > halves_space(k->size) ? own : halves_space(k->size);
}

/* Phases: so many numbers there are to take. */
PUBLIC int64_t sonant_amx_layers_phases(const stack *k) { return 2 * k->layers + 1; }

/* The layers, together with the other members. */
PUBLIC void sonant_amx_layers(const void *call, const portion *own) {
    const run *s = call;
    const stack *k = s->layers;
    char *start = (char *)(((uintptr_t)own->space + 63) / 64 * 64);
    member m = {.k = k, .s = s, .all = s->together, .normed = start, .step = apart(k), .inner_row = k->part + DEPTH};
    m.bytes = m.normed + s->slab * m.step;
    m.inner = (uint16_t *)(m.bytes + s->slab * m.step);
    m.row = (float *)(m.inner + s->slab * m.inner_row);
    m.scales = m.row + longest(k);
    unsigned int rounding = _mm_getcsr();
    _mm_setcsr(rounding | 0x8040); /* what is next to nothing is nothing: powers of two would be slow */
    if (k->whole)
        all_layers(BYTES, &m, own->space);
    else
        all_layers(HALVES, &m, own->space);
    _tile_release();
    _mm_setcsr(rounding);
}
#endif
