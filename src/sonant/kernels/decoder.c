/* Whisper's decoder: all of a step in one call, which the threads make together, since a token has some fifty products
   and takes a few milliseconds. Between its parts they meet and wait for each other.

   A step reads all weights for few rows, so weights are int8, a scale for each output; rows are rounded to int16, all
   sums of one fit 32 bits (products.h). Many rows are multiplied on tiles instead, where there are some. What is heard is
   read whole for each token, too, so keys and values of the cross-attention are int8: keys with a scale for each channel,
   which queries are taken times, values with one for each frame, which weights are. What was decoded is kept in float16.
   All of it is asked for ahead: else two cores get half of what memory gives. */

#include "attention.h"
#include "crew.h"
#include "products.h"

#include <string.h>
#if defined(__AMX_BF16__) && defined(__linux__)
#include "amx.h"
#define MANY 8 /* rows: more are faster on tiles */
#else
#define MANY INT64_MAX
#endif

#define AT_ONCE 65536     /* bytes of weights that a thread takes at a time */
#define AHEAD 4096        /* bytes that the second cache is asked for before they are read, */
#define SOON 768          /* and the first one */
#define TOKENS_AHEAD 16   /* the same for what was decoded */
#define CHUNK 16          /* rows that attend together */
#define EPSILON 1e-5f     /* of the norms */
#define PHASES_A_LAYER 8

typedef struct {
    const int8_t *weights; /* (panels, depth / 2, PANEL, 2) */
    const float *scales;   /* (panels, PANEL) */
    const float *bias;     /* the same */
    int64_t depth, panels;
} matrix;

typedef struct {
    const matrix *matrices; /* of each layer: self-attention's queries (scaled), keys and values, and its output;
                               cross-attention's queries (scaled), and its output; widening and narrowing. Then logits */
    const float *norms;     /* scale and shift, (3 layers + 1, 2, width) */
    int64_t layers, channels, width, heads, size, inner, frames, longest; /* width, inner: whole panels */
} decoder;

typedef struct {
    float *hidden;              /* (rows, width), rows = sequences x tokens: embedded, overwritten */
    float *asked;               /* (rows, 3 width) */
    float *heard;               /* (rows, width), zeros behind the channels */
    float *inner;               /* (rows, inner) */
    uint16_t *cache;            /* keys and values of what was decoded in float16, (layers, 2, sequences, heads, longest,
                                   size up to whole registers) */
    const int32_t *lines;       /* (sequences, longest): of the cache, that hold the tokens which a sequence follows */
    const int8_t *keys;         /* (windows, layers, heads, key panels, deep / 2, PANEL, 2), deep the size made even */
    const float *key_scales;    /* (windows, layers, heads, size) */
    const int8_t *values;       /* (windows, layers, heads, size panels, frames made even / 2, PANEL, 2) */
    const float *value_scales;  /* (windows, layers, heads, frames) */
    float *queries;             /* (layers, rows, width) of the cross-attention; or none */
    float *logits;              /* (sequences or rows, panels x PANEL) */
    const decoder *network;
    int64_t sequences, tokens, past, beams, every; /* every token's logits, or those of each sequence's last one */
    crew together;
} step;

/* A thread's way through a step. */
typedef struct {
    const decoder *d;
    const step *s;
    crew all;
    float *space;
} member;

/* ---- products ---- */

enum { STORE, ADD, ACTIVATE };

/* Where a product goes, and how. */
typedef struct {
    float *out;
    int64_t row;
    int how;
} target;

INLINE void put(const target *to, int64_t row, int64_t column, vec value) {
    float *out = to->out + row * to->row + column;
    if (to->how == ADD) value += load(out);
    store(out, to->how == ACTIVATE ? gelu(value) : value);
}

/* What comes behind this line of weights, of keys or of values. */
INLINE void read_on(const int8_t *from) {
    expect(from + AHEAD, LINE, 2);
    expect(from + SOON, LINE, 1);
}

/* Adds two inputs of count rows, known to the compiler, times theirs of a panel. */
INLINE void add_pairs(int count, const int16_t *a, int64_t stride, const int8_t *from, ints left[ROWS], ints right[ROWS]) {
    read_on(from);
    ints first = load_pairs(from);
    ints second = load_pairs((from + PANEL));
    UNROLL for (int r = 0; r < count; r++) {
        ints two = *(const pair *)(a + r * stride) - (ints){0};
        left[r] = pairs(left[r], two, first);
        ONE_BY_ONE(left[r]);
        right[r] = pairs(right[r], two, second);
        ONE_BY_ONE(right[r]);
    }
}

/* Sums of count rows, known to the compiler, times one panel (depth / 2, PANEL, 2). Few rows are summed in several
   parts, else each sum would wait for the one before. */
INLINE void narrow_sums(int count, const int16_t *a, int64_t stride, int64_t depth, const int8_t *from, ints left[ROWS],
                        ints right[ROWS]) {
    const int parts = count == 1 ? 4 : count == 2 ? 2 : 1;
    ints lefts[4][ROWS], rights[4][ROWS];
    int64_t steps = depth / 2;
    UNROLL for (int p = 0; p < parts; p++)
        UNROLL for (int r = 0; r < count; r++) lefts[p][r] = rights[p][r] = (ints){0};
    for (; steps >= parts; steps -= parts)
        UNROLL for (int p = 0; p < parts; p++, from += 2 * PANEL, a += 2)
            add_pairs(count, a, stride, from, lefts[p], rights[p]);
    for (; steps > 0; steps--, from += 2 * PANEL, a += 2) add_pairs(count, a, stride, from, lefts[0], rights[0]);
    UNROLL for (int r = 0; r < count; r++) {
        left[r] = lefts[0][r], right[r] = rights[0][r];
        UNROLL for (int p = 1; p < parts; p++) left[r] += lefts[p][r], right[r] += rights[p][r];
    }
}

INLINE void narrow_tile(int count, const int16_t *a, int64_t stride, const float *scales, const matrix *w, int64_t panel,
                        int64_t row, const target *to) {
    ints left[ROWS], right[ROWS];
    narrow_sums(count, a, stride, w->depth, w->weights + panel * w->depth * PANEL, left, right);
    const float *own = w->scales + panel * PANEL, *bias = w->bias + panel * PANEL;
    UNROLL for (int r = 0; r < count; r++) {
        vec one = __builtin_convertvector(left[r], vec) * (scales[r] * load(own)) + load(bias);
        vec two = __builtin_convertvector(right[r], vec) * (scales[r] * load(own + LANES)) + load(bias + LANES);
        put(to, row + r, panel * PANEL, one);
        put(to, row + r, panel * PANEL + LANES, two);
    }
}

/* Tiles take as many rows as the registers have room for, or one of these counts. */
#define EIGHT (ROWS > 8 ? 8 : ROWS)
#define FIVE (ROWS > 5 ? 5 : ROWS)
INLINE int64_t taken(int64_t rows) {
    return rows >= ROWS ? ROWS : rows >= EIGHT ? EIGHT : rows == FIVE ? FIVE : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
}

/* tile(count, ...), of a count that the compiler knows; the most that taken gives first. */
#define TAKE(some, tile, ...) \
    do { \
        if (some == ROWS) tile(ROWS, __VA_ARGS__); \
        else if (some == EIGHT) tile(EIGHT, __VA_ARGS__); \
        else if (some == FIVE) tile(FIVE, __VA_ARGS__); \
        else if (some == 4) tile(4, __VA_ARGS__); \
        else if (some == 2) tile(2, __VA_ARGS__); \
        else tile(1, __VA_ARGS__); \
    } while (0)

/* Rows times one panel. */
static void narrow_panel(int64_t rows, const int16_t *a, int64_t stride, const float *scales, const matrix *w,
                         int64_t panel, const target *to) {
    for (int64_t r = 0, some; r < rows; r += some) {
        some = taken(rows - r);
        TAKE(some, narrow_tile, a + r * stride, stride, scales + r, w, panel, r, to);
    }
}

#if defined(SONANT_AMX_H)
/* The same of bfloat16 rows, on tiles; space for a panel of weights. */
static void wide_panel(int64_t rows, const uint16_t *a, int64_t stride, const matrix *w, int64_t panel, uint16_t *space,
                       const target *to) {
    float sums[BLOCK][PANEL] __attribute__((aligned(64)));
    const int8_t *from = w->weights + panel * w->depth * PANEL;
    const float *own = w->scales + panel * PANEL, *bias = w->bias + panel * PANEL;
    for (int64_t i = 0; i < w->depth * PANEL; i += LANES)
        store_halves(space + i, load_bytes((from + i)));
    for (int64_t top = 0; top < rows; top += BLOCK) {
        int64_t some = rows - top < BLOCK ? rows - top : BLOCK;
        if (!top || some < BLOCK) shape_tiles(some);
        multiply_block(HALVES, 0, 0, some, (const char *)(a + top * stride), 2 * stride, 1, 0, w->depth / DEPTH, space,
                       sums[0], PANEL);
        for (int64_t r = 0; r < some; r++)
            for (int side = 0; side < PANEL; side += LANES)
                put(to, top + r, panel * PANEL + side, load(sums[r] + side) * load(own + side) + load(bias + side));
    }
}
#endif

/* The next panels of a matrix for this thread; what it reads first of them is asked for. */
INLINE int64_t take_panels(const member *m, const matrix *w, int64_t count) {
    int64_t first = take(&m->all, count);
    if (first < w->panels) expect(w->weights + first * w->depth * PANEL, AHEAD, 2);
    return first;
}

/* Rows, normed where there is a norm, times a matrix: this thread's share of it. Every thread rounds all rows, since it
   would wait longer for the others to do so. */
static void multiply(member *m, int64_t rows, const float *x, int64_t x_row, const float *norm, const matrix *w,
                     target to) {
    int64_t depth = w->depth, wide = rows > MANY;
    float *row = m->space, *scales = row + depth;
    int16_t *numbers = (int16_t *)(((uintptr_t)(scales + rows) + 63) / 64 * 64);
    dress how = {norm, norm + m->d->width, EPSILON, 0, NONE};
    int64_t share = w->panels / (2 * m->all.members), count = AT_ONCE / (depth * PANEL);
    count = count < share ? count : share;
    count = count > 0 ? count : 1;
    int64_t n = take_panels(m, w, count); /* they come while rows are rounded */
    for (int64_t r = 0; r < rows; r++) {
        memcpy(row, x + r * x_row, depth * sizeof(float));
        if (norm) dress_row(&how, row, m->d->channels, depth);
#if defined(SONANT_AMX_H)
        if (wide) {
            for (int64_t i = 0; i < depth; i += LANES)
                store_halves((uint16_t *)numbers + r * depth + i, load(row + i));
            continue;
        }
#endif
        scales[r] = round_row(row, depth, depth, BYTE_LEVELS, numbers + r * depth);
    }
    for (int64_t next; n < w->panels; n = next) {
        next = take_panels(m, w, count);
        for (int64_t end = n + count; n < end && n < w->panels; n++) {
#if defined(SONANT_AMX_H)
            if (wide) {
                wide_panel(rows, (uint16_t *)numbers, depth, w, n, (uint16_t *)numbers + rows * depth, &to);
                continue;
            }
#endif
            narrow_panel(rows, numbers, depth, scales, w, n, &to);
        }
    }
#if defined(SONANT_AMX_H)
    if (wide) _tile_release();
#endif
    (void)wide;
}

/* ---- attention ---- */

INLINE float dot(const float *a, const uint16_t *b, int64_t size) {
    vec sum = {0};
    for (int64_t i = 0; i < size; i += LANES) sum += load_part(a + i, size - i) * load_float16(b + i);
    return total(sum);
}

/* Values of known tokens times their weights, count registers of each, known to the compiler; a token's begin apart
   numbers behind the one's before. */
INLINE void weigh_values(int count, const step *s, const int32_t *lines, const float *weights, int64_t sequence,
                         int64_t known, int64_t line, int64_t apart, const uint16_t *values, vec out[4]) {
    UNROLL for (int i = 0; i < count; i++) out[i] = (vec){0};
    for (int64_t p = 0; p < known; p++, values += apart) {
        const uint16_t *from = values + (p < s->past ? lines[p] : sequence) * line;
        UNROLL for (int i = 0; i < count; i++) out[i] += weights[p] * load_float16(from + i * LANES);
    }
}

/* One head of a sequence, to the tokens before and its own: they join the cache. */
static void attend_before(const member *m, int64_t layer, int64_t sequence, int64_t head) {
    const decoder *d = m->d;
    const step *s = m->s;
    int64_t size = d->size, whole = (size + LANES - 1) / LANES * LANES, line = d->longest * d->heads * whole;
    uint16_t *keys = s->cache + 2 * layer * s->sequences * line + head * d->longest * whole;
    uint16_t *values = keys + s->sequences * line;
    const int32_t *lines = s->lines + sequence * d->longest;
    float *scores = m->space;
    for (int64_t t = 0; t < s->tokens; t++) {
        int64_t row = sequence * s->tokens + t, place = sequence * line + (s->past + t) * whole;
        const float *asked = s->asked + 3 * row * d->width + head * size;
        for (int64_t i = 0; i < size; i += LANES) {
            store_float16(keys + place + i, load_part(asked + d->width + i, size - i));
            store_float16(values + place + i, load_part(asked + 2 * d->width + i, size - i));
        }
    }
    for (int64_t t = 0; t < s->tokens; t++) {
        int64_t row = sequence * s->tokens + t, known = s->past + t + 1;
        const float *asked = s->asked + 3 * row * d->width + head * size;
        float *out = s->heard + row * d->width + head * size;
        for (int64_t p = 0; p < known; p++) {
            int64_t place = (p < s->past ? lines[p] : sequence) * line + p * whole;
            expect(keys + place + TOKENS_AHEAD * whole, whole * sizeof(uint16_t), 1);
            expect(values + place, whole * sizeof(uint16_t), 2);
            scores[p] = dot(asked, keys + place, size);
        }
        float share = 1 / weigh(scores, known);
        for (int64_t p = 0; p < known; p++) scores[p] *= share;
        for (int64_t i = 0, some; i < whole; i += some) {
            vec made[4];
            some = whole - i < 4 * LANES ? LANES : 4 * LANES;
            if (some == LANES) weigh_values(1, s, lines, scores, sequence, known, line, whole, values + i, made);
            else weigh_values(4, s, lines, scores, sequence, known, line, whole, values + i, made);
            memcpy(out + i, made, (some < size - i ? some : size - i) * sizeof(float));
        }
    }
}

/* Count rows, known to the compiler, times a panel of keys, or of values. */
INLINE void heard_tile(int count, const int16_t *a, int64_t stride, const float *scales, int64_t depth,
                       const int8_t *panel, float *out, int64_t out_row) {
    ints left[ROWS], right[ROWS];
    narrow_sums(count, a, stride, depth, panel, left, right);
    UNROLL for (int r = 0; r < count; r++) {
        store(out + r * out_row, __builtin_convertvector(left[r], vec) * scales[r]);
        store(out + r * out_row + LANES, __builtin_convertvector(right[r], vec) * scales[r]);
    }
}

/* One head of a window: where its keys and values lie. */
typedef struct {
    const int8_t *keys, *values;
    const float *key_scales, *value_scales;
    int64_t panels, columns, deep, frames; /* of keys, of values; numbers of a key and of an output's values, made even */
} heard_head;

static heard_head heard_of(const member *m, int64_t layer, int64_t window, int64_t head) {
    const decoder *d = m->d;
    const step *s = m->s;
    int64_t place = (window * d->layers + layer) * d->heads + head, deep = even(d->size), frames = even(d->frames);
    int64_t panels = panels_of(d->frames), columns = panels_of(d->size);
    return (heard_head){s->keys + place * panels * deep * PANEL,
                        s->values + place * columns * frames * PANEL,
                        s->key_scales + place * d->size,
                        s->value_scales + place * d->frames,
                        panels,
                        columns,
                        deep,
                        frames};
}

/* Queries of a head times the scales of its channels. */
INLINE void scale_query(const decoder *d, const heard_head *h, const float *asked, float *to) {
    for (int64_t i = 0; i < d->size; i++) to[i] = asked[i] * h->key_scales[i];
}

#if defined(SONANT_AMX_H)
/* Many rows: keys and values once to bfloat16, then on tiles. */
static void attend_window_wide(const member *m, const heard_head *h, int64_t first, int64_t last, int64_t head) {
    const decoder *d = m->d;
    int64_t wide = h->panels * PANEL, deep = (d->size + DEPTH - 1) / DEPTH * DEPTH;
    uint16_t *keys = (uint16_t *)(((uintptr_t)m->space + 63) / 64 * 64), *values = keys + wide * deep, *to = keys;
    float *asked = (float *)(values + wide * deep), *space = asked + BLOCK * deep;
    for (int64_t n = 0; n < h->panels; n++)
        for (int64_t i = 0; i < deep * PANEL; i += LANES, to += LANES) {
            const int8_t *from = h->keys + n * h->deep * PANEL + i;
            store_halves(to, i < h->deep * PANEL ? load_bytes(from) : (vec){0});
        }
    to = values;
    for (int64_t n = 0; n < h->columns; n++)
        for (int64_t k = 0; k < wide; k += 2)
            for (int l = 0; l < PANEL; l += LANES, to += 2 * LANES) {
                ints two = k < d->frames ? load_pairs((h->values + (n * h->frames + k) * PANEL + 2 * l)) : (ints){0};
                vec first = __builtin_convertvector(two << 16 >> 16, vec), second = __builtin_convertvector(two >> 16, vec);
                if (k < d->frames) first *= h->value_scales[k];
                if (k + 1 < d->frames) second *= h->value_scales[k + 1];
                *(unaligned_ints *)to = halves(first) | halves(second) << 16;
            }
    for (int64_t row = first; row < last; row += BLOCK) {
        int64_t rows = last - row < BLOCK ? last - row : BLOCK, at = row * d->width + head * d->size;
        for (int64_t r = 0; r < rows; r++) scale_query(d, h, m->s->asked + at + r * d->width, asked + r * deep);
        attend_halves(rows, asked, deep, d->frames, d->size, keys, values, m->s->heard + at, d->width, space);
    }
}
#endif

/* One head of a window's sequences, to what was heard in the window. */
static void attend_window(const member *m, int64_t layer, int64_t window, int64_t head) {
    const decoder *d = m->d;
    const step *s = m->s;
    heard_head h = heard_of(m, layer, window, head);
    int64_t wide = h.panels * PANEL, count = h.columns * PANEL, all = s->sequences * s->tokens;
    float *scores = m->space, *made = scores + CHUNK * wide, *asked = made + CHUNK * count;
    int64_t first = window * s->beams * s->tokens, last = first + s->beams * s->tokens;
    for (int64_t row = first; row < last && s->queries; row++)
        memcpy(s->queries + (layer * all + row) * d->width + head * d->size,
               s->asked + row * d->width + head * d->size, d->size * sizeof(float));
#if defined(SONANT_AMX_H)
    if (last - first > MANY) {
        attend_window_wide(m, &h, first, last, head);
        return;
    }
#endif
    for (int64_t row = first; row < last; row += CHUNK) {
        int64_t rows = last - row < CHUNK ? last - row : CHUNK;
        float scales[CHUNK];
        int16_t *numbers = (int16_t *)(asked + count);
        for (int64_t r = 0; r < rows; r++) {
            memset(asked, 0, count * sizeof(float));
            scale_query(d, &h, s->asked + (row + r) * d->width + head * d->size, asked);
            scales[r] = round_row(asked, count, count, BYTE_LEVELS, numbers + r * count);
        }
        for (int64_t n = 0; n < h.panels; n++)
            for (int64_t r = 0, some; r < rows; r += some) {
                const int8_t *keys = h.keys + n * h.deep * PANEL;
                const int16_t *own = numbers + r * count;
                float *to = scores + r * wide + n * PANEL;
                some = taken(rows - r);
                TAKE(some, heard_tile, own, count, scales + r, h.deep, keys, to, wide);
            }
        expect(h.values, AHEAD, 2);
        for (int64_t r = 0; r < rows; r++) {
            float *own = scores + r * wide, share = 1 / weigh(own, d->frames);
            int64_t f = 0;
            for (; f + LANES <= d->frames; f += LANES) store(own + f, load(own + f) * share * load(h.value_scales + f));
            for (; f < d->frames; f++) own[f] *= share * h.value_scales[f];
            scales[r] = round_row(own, wide, wide, BYTE_LEVELS, (int16_t *)own);
        }
        for (int64_t n = 0; n < h.columns; n++)
            for (int64_t r = 0, some; r < rows; r += some) {
                const int8_t *values = h.values + n * h.frames * PANEL;
                const int16_t *own = (const int16_t *)(scores + r * wide);
                float *to = made + r * count + n * PANEL;
                some = taken(rows - r);
                TAKE(some, heard_tile, own, 2 * wide, scales + r, h.frames, values, to, count);
            }
        for (int64_t r = 0; r < rows; r++)
            memcpy(s->heard + (row + r) * d->width + head * d->size, made + r * count, d->size * sizeof(float));
    }
}

/* ---- a step ---- */

/* Floats of space that a thread needs. */
PUBLIC int64_t sonant_decode_space(const step *s) {
    const decoder *d = s->network;
    int64_t rows = s->sequences * s->tokens, deepest = d->width > d->inner ? d->width : d->inner;
    int64_t products = deepest + rows + 16 + rows * deepest / 2 + deepest * PANEL / 2;
    int64_t before = panels_of(d->longest) * PANEL;
    int64_t window = PANEL * (CHUNK * panels_of(d->frames) + (CHUNK + 1 + CHUNK / 2) * panels_of(d->size));
#if defined(SONANT_AMX_H)
    int64_t deep = (d->size + DEPTH - 1) / DEPTH * DEPTH;
    window += panels_of(d->frames) * PANEL * deep + BLOCK * deep + 16 + halves_space(d->size);
#endif
    int64_t most = products > window ? products : window;
    return most > before ? most : before;
}

/* Phases of a step: so many numbers there are to take. */
PUBLIC int64_t sonant_decode_phases(const decoder *d) { return PHASES_A_LAYER * d->layers + 1; }

/* A step, together with the other members. */
PUBLIC void sonant_decode(const void *call, const portion *own) {
    const step *s = call;
    const decoder *d = s->network;
    member self = {d, s, s->together, own->space}, *m = &self;
    int64_t rows = s->sequences * s->tokens, width = d->width;
    const matrix *w = d->matrices;
    const float *norm = d->norms;
    for (int64_t layer = 0; layer < d->layers; layer++, w += 6, norm += 6 * width) {
        multiply(m, rows, s->hidden, width, norm, w, (target){s->asked, 3 * width, STORE});
        meet(&m->all);
        for (int64_t i; (i = take(&m->all, 1)) < s->sequences * d->heads;) attend_before(m, layer, i / d->heads, i % d->heads);
        meet(&m->all);
        multiply(m, rows, s->heard, width, 0, w + 1, (target){s->hidden, width, ADD});
        meet(&m->all);
        multiply(m, rows, s->hidden, width, norm + 2 * width, w + 2, (target){s->asked, width, STORE});
        meet(&m->all);
        int64_t windows = s->sequences / s->beams;
        for (int64_t i; (i = take(&m->all, 1)) < windows * d->heads;) attend_window(m, layer, i / d->heads, i % d->heads);
        meet(&m->all);
        multiply(m, rows, s->heard, width, 0, w + 3, (target){s->hidden, width, ADD});
        meet(&m->all);
        multiply(m, rows, s->hidden, width, norm + 4 * width, w + 4, (target){s->inner, d->inner, ACTIVATE});
        meet(&m->all);
        multiply(m, rows, s->inner, d->inner, 0, w + 5, (target){s->hidden, width, ADD});
        meet(&m->all);
    }
    const float *last = s->hidden + (s->every ? 0 : s->tokens - 1) * width;
    int64_t wanted = s->every ? rows : s->sequences;
    multiply(m, wanted, last, s->every ? width : s->tokens * width, norm, w, (target){s->logits, w->panels * PANEL, STORE});
}
