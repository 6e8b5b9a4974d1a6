/* Products with packed weights, for scoring.
 *
 * The weights W (k, m) are packed once, into panels (k, TILE_COLS) of TILE_COLS columns, the last
 * one padded with zeros. Tiles use the columns that they need. The leading dimension `ld_out` of
 * the output is at least m rounded up to TILE_COLS, because tiles are written whole.
 */
#ifndef DNN_PACKED_PRODUCTS_H
#define DNN_PACKED_PRODUCTS_H

#include "activations.h"
#include "panels.h"

INLINE ptrdiff_t panels_of(ptrdiff_t m)
{
    return (m + TILE_COLS - 1) / TILE_COLS;
}

static ptrdiff_t packed_cols(ptrdiff_t m)
{
    return panels_of(m) * TILE_COLS;
}

static void pack_weights(ptrdiff_t k, ptrdiff_t m, const void *W_, void *packed_)
{
    const real *W = W_;
    real *packed = packed_;
    for (ptrdiff_t j = 0; j < m; j += TILE_COLS)
        for (ptrdiff_t p = 0; p < k; p++)
            for (ptrdiff_t c = 0; c < TILE_COLS; c++)
                *packed++ = j + c < m ? W[p * m + j + c] : 0;
}

enum { ROW_TERMS = 256 }; /* terms of a row whose zeros are found together */

/* Which of n <= ROW_TERMS elements of a are not 0; returns their number. */
INLINE int nonzero(ptrdiff_t n, const real *a, int *index)
{
    int count = 0;
    for (int p = 0; p < n; p++) {
        index[count] = p;
        count += a[p] != 0;
    }
    return count;
}

/* out += the elements a[index[p]], or a[p] if `index` is NULL, of a row a (k,) times `count` panels
 * with the leading dimension `size`. `count` and whether `index` is NULL are constants; several
 * panels at a time give enough sums to hide the latency of the multiply-add. */
INLINE void multiply_row(int count, ptrdiff_t terms, const int *index, const real *a,
                         const real *panel, ptrdiff_t size, real *out)
{
    vec sum[4][2];
    UNROLL
    for (int i = 0; i < count; i++) {
        sum[i][0] = *(const unaligned_vec *)(out + i * TILE_COLS);
        sum[i][1] = *(const unaligned_vec *)(out + i * TILE_COLS + VEC_LANES);
    }
    for (ptrdiff_t t = 0; t < terms; t++) {
        const ptrdiff_t p = index ? index[t] : t;
        vec factor = a[p] - (vec){0};
        UNROLL
        for (int i = 0; i < count; i++) {
            const unaligned_vec *b = (const unaligned_vec *)(panel + p * TILE_COLS + i * size);
            sum[i][0] = VEC_FMA(factor, b[0], sum[i][0]);
            sum[i][1] = VEC_FMA(factor, b[1], sum[i][1]);
        }
    }
    UNROLL
    for (int i = 0; i < count; i++) {
        *(unaligned_vec *)(out + i * TILE_COLS) = sum[i][0];
        *(unaligned_vec *)(out + i * TILE_COLS + VEC_LANES) = sum[i][1];
    }
}

/* out += the terms of a row times all panels. Whether `index` is NULL is a constant. */
INLINE void multiply_terms(ptrdiff_t terms, const int *index, ptrdiff_t m, const real *a,
                           const real *packed, ptrdiff_t size, real *out)
{
    ptrdiff_t left = panels_of(m);
    for (; left >= 4; left -= 4, packed += 4 * size, out += 4 * TILE_COLS)
        multiply_row(4, terms, index, a, packed, size, out);
    switch (left) {
    case 3: multiply_row(3, terms, index, a, packed, size, out); break;
    case 2: multiply_row(2, terms, index, a, packed, size, out); break;
    case 1: multiply_row(1, terms, index, a, packed, size, out); break;
    }
}

/* The weights of elements that are 0, of which relu and one-hot categories have many, are not read:
 * a row is multiplied as fast as its weights are read. They must be finite. */
static void product_of_row(ptrdiff_t k, ptrdiff_t m, const real *a, const real *packed,
                           real *out)
{
    for (ptrdiff_t first = 0; first < k; first += ROW_TERMS) {
        const ptrdiff_t terms = k - first < ROW_TERMS ? k - first : ROW_TERMS;
        const real *part = packed + first * TILE_COLS;
        int index[ROW_TERMS], zeros = 0;
        for (ptrdiff_t p = 0; p < terms; p++) zeros += a[first + p] == 0;
        if (zeros * 8 > terms)
            multiply_terms(nonzero(terms, a + first, index), index, m, a + first, part,
                           k * TILE_COLS, out);
        else
            multiply_terms(terms, NULL, m, a + first, part, k * TILE_COLS, out);
    }
}

static void forward_packed(ptrdiff_t n, ptrdiff_t k, ptrdiff_t m, const void *a_, ptrdiff_t ld_a,
                           const void *packed_, const void *b_, dnn_activation activation,
                           ptrdiff_t ld_out, void *out_)
{
    assert(ld_a >= k && ld_out >= packed_cols(m));
    const real *a = a_, *packed = packed_, *b = b_;
    real *out = out_;
    if (n == 1) {
        memcpy(out, b, (size_t)m * sizeof(real));
        for (ptrdiff_t c = m; c < packed_cols(m); c++) out[c] = 0;
        product_of_row(k, m, a, packed, out);
    } else {
        const ptrdiff_t tiles = tiles_of(n);
        for (ptrdiff_t j = 0; j < m; j += TILE_COLS, packed += k * TILE_COLS) {
            real first_sums[TILE_COLS] = {0};
            const int kind = kind_for(m - j);
            for (ptrdiff_t c = 0; c < TILE_COLS && j + c < m; c++) first_sums[c] = b[j + c];
            for (ptrdiff_t t = 0; t < tiles; t++) {
                const tile_rows rows = rows_of_tile(t, tiles, n);
                if (t == 0 && kind == KINDS - 1 && rows.count == TILE_ROWS)
                    multiply_far(k, a, ld_a, packed, TILE_COLS, first_sums, out + j, ld_out, NULL);
                else multiply_by_rows[rows.count - 1][kind](k, a + rows.first * ld_a, ld_a, packed,
                                                        TILE_COLS, first_sums,
                                                        out + rows.first * ld_out + j, ld_out);
            }
        }
    }
    /* With the columns that tiles have written past m: the last elements of a row, one by one, would
     * take longer than a vector. */
    const ptrdiff_t whole = (m + width_of(0) - 1) / width_of(0) * width_of(0);
    if (activation != DNN_IDENTITY)
        for (ptrdiff_t r = 0; r < n; r++, out += ld_out) activate(activation, whole, out, out, NULL);
}

#endif
