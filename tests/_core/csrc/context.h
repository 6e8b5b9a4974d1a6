/* What every check needs: arrays that are NaN before they are written, random numbers, the digest,
 * and shapes astride the widths of vectors and tiles. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "team.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Astride the widths of vectors and tiles. */
static const ptrdiff_t ROWS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 33};
static const ptrdiff_t COLS[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
                                 15, 16, 17, 18, 19, 20, 31, 32, 33, 34, 64, 65, 100};
/* Beyond the blocks of rows of ops/, the last of which has one row or more, and those of columns in
 * layer_update. */
static const ptrdiff_t LONG[][2] = {{2, 2048}, {2, 2049}, {3, 4200}, {2049, 1}, {2060, 2},
                                    {300, 7},  {257, 8},  {137, 15}, {129, 16}};
static const ptrdiff_t LARGE[][3] = {{5, 3, 257}, {18, 4, 300}, {3, 300, 20}, {70, 20, 129}};

typedef struct {
    const char *isa, *operation;
    const dnn_ops *ops;
    size_t size; /* of an element: float or double */
    uint64_t random, digest;
    int nan_input;
    void *memory[64]; /* all that was allocated */
    int n_memory;
} context;

static void require(const context *t, int condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "%s %s f%d: %s\n", t->isa, t->operation, (int)t->size * 8, what);
    exit(1);
}

/* ------------------------------------------------------------------------------ arrays */

/* splitmix64 */
static uint64_t random_bits(context *t)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void *allocate(context *t, ptrdiff_t n, size_t size)
{
    /* No better aligned than an element need be. */
    size_t skip = random_bits(t) % 2 * size, bytes = skip + (size_t)n * size;
    char *memory = malloc(bytes);
    require(t, memory && t->n_memory < COUNT(t->memory), "no memory");
    memset(memory, 0xff, bytes);
    t->memory[t->n_memory++] = memory;
    return memory + skip;
}

static void release(context *t)
{
    while (t->n_memory) free(t->memory[--t->n_memory]);
}

static void *array(context *t, ptrdiff_t n)
{
    return allocate(t, n, t->size);
}

static void *at(const context *t, void *x, ptrdiff_t i)
{
    return (char *)x + i * (ptrdiff_t)t->size;
}

static void put(const context *t, void *x, ptrdiff_t i, double value)
{
    if (t->size == sizeof(float)) ((float *)x)[i] = (float)value;
    else ((double *)x)[i] = value;
}

static double get(const context *t, const void *x, ptrdiff_t i)
{
    return t->size == sizeof(float) ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void *copy(context *t, ptrdiff_t n, const void *x)
{
    return memcpy(array(t, n), x, (size_t)n * t->size);
}

static void *numbers(context *t, ptrdiff_t n, double low, double high)
{
    void *x = array(t, n);
    for (ptrdiff_t i = 0; i < n; i++)
        put(t, x, i, low + (high - low) * ((double)(random_bits(t) >> 11) * 0x1p-53));
    return x;
}

static ptrdiff_t *integers(context *t, ptrdiff_t n, ptrdiff_t below)
{
    ptrdiff_t *x = allocate(t, n, sizeof *x);
    for (ptrdiff_t i = 0; i < n; i++) x[i] = (ptrdiff_t)(random_bits(t) % (uint64_t)below);
    return x;
}

static double largest(const context *t)
{
    return t->size == sizeof(float) ? FLT_MAX : DBL_MAX;
}

/* Special numbers, then in turn any bits and numbers at which exp is neither 0 nor inf. */
static void *all_kinds(context *t, ptrdiff_t n)
{
    const int is_float = t->size == sizeof(float);
    const double tiny = is_float ? FLT_MIN : DBL_MIN, max = largest(t);
    const double least = tiny * (is_float ? FLT_EPSILON : DBL_EPSILON);
    const double special[] = {0, least, tiny - least, tiny, 1, max, INFINITY, NAN};
    const double range = is_float ? 110 : 750;
    void *x = numbers(t, n, -range, range);
    for (ptrdiff_t i = 0; i < n; i += 2) {
        uint64_t bits = random_bits(t);
        memcpy(at(t, x, i), &bits, t->size);
    }
    for (ptrdiff_t i = 0; i < n && i < 2 * COUNT(special); i++)
        put(t, x, i, i % 2 ? -special[i / 2] : special[i / 2]);
    t->nan_input = 1;
    return x;
}

/* FNV-1a. All NaN are one. */
static void digest_elements(context *t, ptrdiff_t n, const void *x, size_t size)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        unsigned char bytes[sizeof(double)];
        memcpy(bytes, (const char *)x + i * (ptrdiff_t)size, size);
        if (size == sizeof(float) ? isnan(((const float *)x)[i]) : isnan(((const double *)x)[i])) {
            require(t, t->nan_input, "NaN");
            memset(bytes, 0xff, size);
        }
        for (size_t b = 0; b < size; b++) t->digest = (t->digest ^ bytes[b]) * 0x100000001b3u;
    }
}

static void digest(context *t, ptrdiff_t n, const void *x)
{
    digest_elements(t, n, x, t->size);
}

static void require_same(const context *t, ptrdiff_t n, const void *x, const void *y,
                         const char *what)
{
    require(t, !memcmp(x, y, (size_t)n * t->size), what);
}

/* ------------------------------------------------------------------------------ shapes */

/* The s-th shape (rows, cols) of ROWS x COLS and LONG; 0 past the end. */
static int matrix_shape(int s, ptrdiff_t *rows, ptrdiff_t *cols)
{
    const int n = COUNT(ROWS) * COUNT(COLS);
    if (s >= n + COUNT(LONG)) return 0;
    *rows = s < n ? ROWS[s / COUNT(COLS)] : LONG[s - n][0];
    *cols = s < n ? COLS[s % COUNT(COLS)] : LONG[s - n][1];
    return 1;
}

/* The s-th shape (n, k, m) of LARGE and of some of ROWS x COLS x COLS, with each pair of n, k, m:
 * for one k or one m, the index of n takes steps that do not divide the length of ROWS. */
static int layer_shape(int s, ptrdiff_t *n, ptrdiff_t *k, ptrdiff_t *m)
{
    const int i = s % COUNT(COLS), j = s / COUNT(COLS), large = s - COUNT(COLS) * COUNT(COLS);
    if (large >= COUNT(LARGE)) return 0;
    *n = large < 0 ? ROWS[(i + 5 * j) % COUNT(ROWS)] : LARGE[large][0];
    *k = large < 0 ? COLS[i] : LARGE[large][1];
    *m = large < 0 ? COLS[j] : LARGE[large][2];
    return 1;
}

#endif
