/* Digests of what every operation of ops.h returns, for every instruction set that can run here:
 * lines `instruction-set operation type digest`. The same operation and type must have the same
 * digest everywhere, on any processor, from any compiler.
 *
 * Every array is a malloc of its documented size, so that AddressSanitizer sees an element too
 * many, and is NaN before it is written, so that a result made of something else is an error.
 */
#include "elements.h"
#include "embedding.h"
#include "layers.h"
#include "losses.h"
#include "packed_embedding.h"
#include "rows.h"
#include "sparse_products.h"
#include "training.h"

static const struct {
    const char *name;
    void (*run)(context *t, int variant);
    int variant;
} OPERATIONS[] = {
    {"exp", elementwise, 0},
    {"log", elementwise, 1},
    {"activate_identity", activate, DNN_IDENTITY},
    {"activate_logistic", activate, DNN_LOGISTIC},
    {"activate_tanh", activate, DNN_TANH},
    {"activate_relu", activate, DNN_RELU},
    {"activate_selu", activate, DNN_SELU},
    {"activate_silu", activate, DNN_SILU},
    {"activate_gelu", activate, DNN_GELU},
    {"activate_mish", activate, DNN_MISH},
    {"activate_exp", activate, DNN_EXP},
    {"activate_backward_identity", activate_backward, DNN_IDENTITY},
    {"activate_backward_logistic", activate_backward, DNN_LOGISTIC},
    {"activate_backward_tanh", activate_backward, DNN_TANH},
    {"activate_backward_relu", activate_backward, DNN_RELU},
    {"activate_backward_selu", activate_backward, DNN_SELU},
    {"activate_backward_silu", activate_backward, DNN_SILU},
    {"activate_backward_gelu", activate_backward, DNN_GELU},
    {"activate_backward_mish", activate_backward, DNN_MISH},
    {"activate_backward_exp", activate_backward, DNN_EXP},
    {"add_bias_identity", bias, DNN_IDENTITY},
    {"add_bias_logistic", bias, DNN_LOGISTIC},
    {"add_bias_tanh", bias, DNN_TANH},
    {"add_bias_relu", bias, DNN_RELU},
    {"add_bias_selu", bias, DNN_SELU},
    {"add_bias_silu", bias, DNN_SILU},
    {"add_bias_gelu", bias, DNN_GELU},
    {"add_bias_mish", bias, DNN_MISH},
    {"column_sums", sums, 0},
    {"sum_squares", sums, 1},
    {"all_finite", all_finite, 0},
    {"dropout", dropout, 0},
    {"gather_rows", rows_of_input, GATHER},
    {"norm", rows_of_input, NORM},
    {"norm_backward", rows_of_input, NORM_BACKWARD},
    {"add_moments", moments, 0},
    {"add_moments_missing", moments, 1},
    {"add_ranges", ranges, 0},
    {"softmax", softmax, 0},
    {"log_softmax", softmax, 1},
    {"softmax_backward", softmax_backward, 0},
    {"sort_rows", sort_rows, 0},
    {"cross_entropy", cross_entropy, LOSS},
    {"cross_entropy_backward", cross_entropy, LOSS_BACKWARD},
    {"softmax_cross_entropy", cross_entropy, LOSS_OF_LOGITS},
    {"binary_cross_entropy", elementwise_loss, DNN_BINARY_CROSS_ENTROPY},
    {"squared_error", elementwise_loss, DNN_SQUARED_ERROR},
    {"huber", elementwise_loss, DNN_HUBER},
    {"absolute_error", elementwise_loss, DNN_ABSOLUTE_ERROR},
    {"quantile", elementwise_loss, DNN_QUANTILE},
    {"poisson", elementwise_loss, DNN_POISSON},
    {"update_sgd", update, DNN_SGD},
    {"update_momentum", update, DNN_MOMENTUM},
    {"update_nesterov", update, DNN_NESTEROV},
    {"update_adam", update, DNN_ADAM},
    {"update_adamw", update, DNN_ADAMW},
    {"layer_forward", layer_forward, 0},
    {"forward_packed", forward_packed, 0},
    {"embed_packed", embed_packed, 0},
    {"layer_delta", layer_delta, 0},
    {"layer_update_sgd", layer_update, DNN_SGD},
    {"layer_update_momentum", layer_update, DNN_MOMENTUM},
    {"layer_update_nesterov", layer_update, DNN_NESTEROV},
    {"layer_update_adam", layer_update, DNN_ADAM},
    {"layer_update_adamw", layer_update, DNN_ADAMW},
    {"sparse_forward", sparse_forward, 0},
    {"sparse_update_sgd", sparse_update, DNN_SGD},
    {"sparse_update_nesterov", sparse_update, DNN_NESTEROV},
    {"sparse_update_adamw", sparse_update, DNN_ADAMW},
    {"embed", embedding, EMBED},
    {"embed_delta", embedding, EMBED_DELTA},
    {"embed_gradient", embedding, EMBED_GRADIENT},
    {"train_logistic", train, DNN_LOGISTIC},
    {"train_tanh", train, DNN_TANH},
    {"train_relu", train, DNN_RELU},
    {"train_selu", train, DNN_SELU},
    {"train_silu", train, DNN_SILU},
    {"train_gelu", train, DNN_GELU},
    {"train_mish", train, DNN_MISH},
};

int main(void)
{
    const dnn_isa *isa;
    for (int i = 0; (isa = dnn_isa_available(i)); i++) {
        for (int o = 0; o < COUNT(OPERATIONS); o++) {
            for (int is_double = 0; is_double < 2; is_double++) {
                context t = {
                    .isa = isa->name,
                    .operation = OPERATIONS[o].name,
                    .ops = is_double ? isa->f64 : isa->f32,
                    .size = is_double ? sizeof(double) : sizeof(float),
                    .digest = 0xcbf29ce484222325u,
                };
                OPERATIONS[o].run(&t, OPERATIONS[o].variant);
                printf("%s %s f%d %016" PRIx64 "\n", t.isa, t.operation, (int)t.size * 8, t.digest);
            }
        }
    }
    return 0;
}
