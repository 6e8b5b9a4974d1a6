/* Defines `const dnn_isa ISA_SYMBOL` for the instruction set that the including file has
 * switched on. The including file defines ISA_SYMBOL and ISA_NAME. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "isa.h"

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define UNROLL _Pragma("GCC unroll 16")
#define ELEMENTWISE _Pragma("GCC ivdep")
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (NAME(square_index)){__VA_ARGS__})
#endif

/* How much of the rows to come is fetched while rows are gathered. */
enum { FETCH_BYTES = 8192 };

#include "simd.h"

#define REAL_IS_FLOAT 1
#include "ops_template.h"
#undef REAL_IS_FLOAT
#define REAL_IS_FLOAT 0
#include "ops_template.h"

/* A macro, because in C a constant struct cannot initialise a part of another. */
#define OPS(type)                                                \
    {                                                            \
        .exp = exp_##type,                                       \
        .log = log_##type,                                       \
        .activate = activate_##type,                             \
        .activate_backward = activate_backward_##type,           \
        .add_bias = add_bias_##type,                             \
        .column_sums = column_sums_##type,                       \
        .sum_squares = sum_squares_##type,                       \
        .all_finite = all_finite_##type,                         \
        .norm = norm_##type,                                     \
        .norm_backward = norm_backward_##type,                   \
        .add_moments = add_moments_##type,                       \
        .softmax = softmax_##type,                               \
        .log_softmax = log_softmax_##type,                       \
        .softmax_backward = softmax_backward_##type,             \
        .cross_entropy = cross_entropy_##type,                   \
        .cross_entropy_backward = cross_entropy_backward_##type, \
        .softmax_cross_entropy = softmax_cross_entropy_##type,   \
        .elementwise_loss = elementwise_loss_##type,             \
        .dropout = dropout_##type,                               \
        .update = update_##type,                                 \
        .layer_scratch = layer_scratch_##type,                   \
        .layer_forward = layer_forward_##type,                   \
        .layer_delta = layer_delta_##type,                       \
        .layer_update = layer_update_##type,                     \
        .packed_cols = packed_cols_##type,                       \
        .pack_weights = pack_weights_##type,                     \
        .forward_packed = forward_packed_##type,                 \
    }

const dnn_isa ISA_SYMBOL = {.name = ISA_NAME, .f32 = OPS(f32), .f64 = OPS(f64)};
