/* Attention to a whole sequence (Vaswani et al. 2017), some queries at a time, so that scores stay in the
   second cache. Queries times keys may be in int16; weights times values never are: many small weights, each below the
   last level, can be some hundredths of the sum. */

#include "attention.h"
#include "products.h"

#include <string.h>

#define QUERIES 48 /* at a time: 288 kB of scores to 1500 keys */

/* Keys and values of some heads as the products read them; space for a panel of keys. */
PUBLIC void sonant_pack_heads(const void *call, const portion *own) {
    const attention *t = call;
    int64_t deep = even(t->size), panels = panels_of(t->keys_known), columns = panels_of(t->size);
    for (int64_t head = own->begin; head < own->end; head++) {
        for (int64_t n = 0; n < panels; n++) {
            int64_t place = head * panels + n, keys = t->keys_known - n * PANEL < PANEL ? t->keys_known - n * PANEL : PANEL;
            float *panel = t->packed_scales ? own->space : (float *)t->packed + place * deep * PANEL;
            memset(panel, 0, deep * PANEL * sizeof(float));
            for (int64_t j = 0; j < keys; j++) {
                const float *key = t->keys + (n * PANEL + j) * t->key_row + head * t->size;
                for (int64_t i = 0; i < t->size; i++) panel[i * PANEL + j] = key[i];
            }
            if (t->packed_scales)
                round_panel(panel, deep, (int16_t *)t->packed + place * deep * PANEL, t->packed_scales + place * PANEL);
        }
        for (int64_t n = 0; n < columns; n++) {
            int64_t width = t->size - n * PANEL < PANEL ? t->size - n * PANEL : PANEL;
            float *to = (float *)t->packed_values + (head * columns + n) * t->keys_known * PANEL;
            for (int64_t r = 0; r < t->keys_known; r++, to += PANEL) {
                memset(to, 0, PANEL * sizeof(float));
                memcpy(to, t->values + r * t->key_row + head * t->size + n * PANEL, width * sizeof(float));
            }
        }
    }
}

/* Blocks of QUERIES rows, counted through all heads. */
PUBLIC int64_t sonant_attend_blocks(const attention *t) { return t->heads * ((t->rows + QUERIES - 1) / QUERIES); }

/* Floats of space that sonant_attend needs. */
PUBLIC int64_t sonant_attend_space(const attention *t) {
    return QUERIES * PANEL * (panels_of(t->keys_known) + 2 * panels_of(t->size));
}

/* Some blocks. */
PUBLIC void sonant_attend(const void *call, const portion *own) {
    const attention *t = call;
    int64_t blocks = (t->rows + QUERIES - 1) / QUERIES, deep = even(t->size);
    int64_t panels = panels_of(t->keys_known), columns = panels_of(t->size);
    float *scores = own->space, *heard = scores + QUERIES * panels * PANEL, *asked = heard + QUERIES * columns * PANEL;
    for (int64_t block = own->begin; block < own->end; block++) {
        int64_t head = block / blocks, first = block % blocks * QUERIES;
        int64_t rows = t->rows - first < QUERIES ? t->rows - first : QUERIES;
        float scales[QUERIES], sums[QUERIES];
        rows_of queries = {t->queries + first * t->row + head * t->size, 0, t->row};
        if (t->packed_scales) {
            int64_t count = (t->size + LANES - 1) / LANES * LANES, wide = columns * PANEL;
            for (int64_t r = 0; r < rows; r++) {
                float *row = asked + r * wide;
                memset(row + t->size, 0, (count - t->size) * sizeof(float));
                memcpy(row, (const float *)queries.numbers + r * t->row, t->size * sizeof(float));
                scales[r] = round_row(row, count, DEEP, WEIGHT_LEVELS, (int16_t *)row); /* behind what is read */
            }
            queries = (rows_of){asked, scales, 2 * wide};
        }
        for (int64_t n = 0; n < panels; n++) {
            int64_t place = head * panels + n;
            multiply_panel(rows, t->packed_scales ? deep : t->size, queries,
                           (const char *)t->packed + size_of(place * deep * PANEL, t->packed_scales),
                           t->packed_scales + place * PANEL, 0, 0, scores + n * PANEL, panels * PANEL);
        }
        for (int64_t r = 0; r < rows; r++) sums[r] = weigh(scores + r * panels * PANEL, t->keys_known);
        for (int64_t k = 0; k < t->keys_known; k += DEEP)
            for (int64_t n = 0; n < columns; n++) {
                int64_t depth = t->keys_known - k < DEEP ? t->keys_known - k : DEEP;
                float *to = heard + n * PANEL;
                rows_of weights = {scores + k, 0, panels * PANEL};
                multiply_panel(rows, depth, weights,
                               (float *)t->packed_values + ((head * columns + n) * t->keys_known + k) * PANEL, 0,
                               k ? to : 0, columns * PANEL, to, columns * PANEL);
            }
        for (int64_t r = 0; r < rows; r++) {
            float *from = heard + r * columns * PANEL, share = 1 / sums[r];
            float *out = t->out + (first + r) * t->out_row + head * t->size;
            for (int64_t i = 0; i < t->size; i++) out[i] = from[i] * share;
        }
    }
}
