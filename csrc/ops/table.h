/* Defines `const dnn_ops OPS`, the operations for one type and one instruction set.
 *
 * The including file (isa/) enables the instruction set and defines
 *   REAL_IS_FLOAT      1 for float, 0 for double
 *   OPS                the name of the table
 *   VEC_BYTES          the size of a vector register in bytes
 *   VEC_FMA(a, b, c)   a * b + c for vectors
 *   TILE_ROWS          the maximum number of rows of a tile of a matrix product
 *   FOR_TILE_ROWS(X)   X(1) X(2) ... X(TILE_ROWS)
 *   HALF_BYTES, HALF_FMA   (optional) the same for half a register, if this is faster for the last
 *                          columns of a matrix
 */
#include "activations.h"
#include "dropout.h"
#include "embedding.h"
#include "exp_log.h"
#include "gather.h"
#include "losses.h"
#include "moments.h"
#include "packed_products.h"
#include "products.h"
#include "rows.h"
#include "softmax.h"
#include "sort.h"
#include "sparse_products.h"
#include "update.h"

const dnn_ops OPS = {
    .exp = exp_array,
    .log = log_array,
    .activate = activate,
    .activate_backward = activate_backward,
    .add_bias = add_bias,
    .column_sums = column_sums,
    .sum_squares = sum_squares,
    .all_finite = all_finite,
    .gather_rows = gather_rows,
    .norm = norm,
    .norm_backward = norm_backward,
    .add_moments = add_moments,
    .add_ranges = add_ranges,
    .softmax = softmax,
    .log_softmax = log_softmax,
    .softmax_backward = softmax_backward,
    .sort_rows = sort_rows,
    .sort_rows_backward = sort_rows_backward,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
    .softmax_cross_entropy = softmax_cross_entropy,
    .elementwise_loss = elementwise_loss,
    .dropout = dropout,
    .update = update,
    .layer_scratch = layer_scratch,
    .layer_forward = layer_forward,
    .layer_delta = layer_delta,
    .layer_update = layer_update,
    .sparse_forward = sparse_forward,
    .sparse_update = sparse_update,
    .embed = embed,
    .embed_delta = embed_delta,
    .embed_gradient = embed_gradient,
    .packed_cols = packed_cols,
    .pack_weights = pack_weights,
    .forward_packed = forward_packed,
    .packed_embedding = packed_embedding,
    .pack_embedding = pack_embedding,
    .embed_packed = embed_packed,
};
