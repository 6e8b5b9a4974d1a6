"""Declarations of the C layer (csrc/), for the compiled modules of this package only."""

from libc.stdint cimport uint32_t


cdef extern from "ops.h" nogil:
    # Parameters of enum type are declared as int, because Cython does not convert ints to enums.
    enum:
        DNN_MOMENTS_ROWS
        DNN_SPARSE_ROWS
        DNN_SGD, DNN_MOMENTUM, DNN_NESTEROV, DNN_ADAM, DNN_ADAMW, DNN_GRADIENT
        DNN_IDENTITY, DNN_LOGISTIC, DNN_TANH, DNN_RELU, DNN_SELU, DNN_SILU, DNN_GELU, DNN_MISH
        DNN_EXP
        DNN_BINARY_CROSS_ENTROPY, DNN_SQUARED_ERROR, DNN_HUBER
        DNN_ABSOLUTE_ERROR, DNN_QUANTILE, DNN_POISSON

    ctypedef struct dnn_step:
        int update
        double rate
        double decay
        double shrink
        double momentum
        double beta1
        double beta2
        double epsilon

    ctypedef struct dnn_embedding:
        Py_ssize_t n_inputs
        Py_ssize_t n_numeric
        Py_ssize_t n_bins
        Py_ssize_t size
        const void* lower
        const void* inverse_width

    ctypedef struct dnn_csr_rows:
        const void* values
        const void* indices
        const void* indptr
        bint wide
        const Py_ssize_t* index
        Py_ssize_t first

    # `void *` is float* in dnn_isa.f32 and double* in dnn_isa.f64; see ops.h for documentation.
    ctypedef struct dnn_ops:
        void (*exp)(Py_ssize_t n, const void* x, void* y) noexcept nogil
        void (*log)(Py_ssize_t n, const void* x, void* y) noexcept nogil
        void (*activate)(int activation, Py_ssize_t n, const void* z, void* a,
                         void* slope) noexcept nogil
        void (*activate_backward)(int activation, Py_ssize_t n, const void* da, const void* kept,
                                  void* dz) noexcept nogil
        void (*add_bias)(int activation, Py_ssize_t rows, Py_ssize_t cols, const void* b,
                         void* z, void* slope) noexcept nogil
        void (*column_sums)(Py_ssize_t rows, Py_ssize_t cols, const void* x,
                            void* out) noexcept nogil
        double (*sum_squares)(Py_ssize_t n, const void* x) noexcept nogil
        bint (*all_finite)(Py_ssize_t n, const void* x) noexcept nogil
        void (*gather_rows)(Py_ssize_t rows, Py_ssize_t cols, const void* x,
                            const Py_ssize_t* index, Py_ssize_t fetchable,
                            void* out) noexcept nogil
        void (*norm)(Py_ssize_t rows, Py_ssize_t cols, const void* x, const Py_ssize_t* index,
                     Py_ssize_t fetchable, const void* mean, const void* scale,
                     void* out) noexcept nogil
        void (*norm_backward)(Py_ssize_t rows, Py_ssize_t cols, const void* da,
                              const void* scale, void* dx) noexcept nogil
        void (*add_moments)(Py_ssize_t rows, Py_ssize_t cols, const void* x, const double* weight,
                            bint missing, double* count, double* mean,
                            double* variance) noexcept nogil
        void (*add_ranges)(Py_ssize_t rows, Py_ssize_t cols, const void* x, const double* weight,
                           double* low, double* high) noexcept nogil
        void (*softmax)(Py_ssize_t rows, Py_ssize_t cols, const void* z, void* p) noexcept nogil
        void (*sort_rows)(Py_ssize_t rows, Py_ssize_t cols, const void* x, void* out) noexcept nogil
        void (*sort_rows_backward)(Py_ssize_t rows, Py_ssize_t cols, const void* dout,
                                   const void* x, void* dx) noexcept nogil
        void (*log_softmax)(Py_ssize_t rows, Py_ssize_t cols, const void* z,
                            void* log_p) noexcept nogil
        void (*softmax_backward)(Py_ssize_t rows, Py_ssize_t cols, const void* dp,
                                 const void* p, void* dz) noexcept nogil
        void (*cross_entropy)(Py_ssize_t rows, Py_ssize_t cols, const void* p,
                              const Py_ssize_t* label, const void* L, double inverse_total,
                              const void* weight, double* row_loss) noexcept nogil
        void (*cross_entropy_backward)(Py_ssize_t rows, Py_ssize_t cols, const void* p,
                                       const Py_ssize_t* label, const void* L, double inverse_total,
                                       const void* weight, void* dp) noexcept nogil
        void (*softmax_cross_entropy)(Py_ssize_t rows, Py_ssize_t cols, const void* z,
                                      const Py_ssize_t* label, const void* L, double inverse_total,
                                      const void* weight, double* row_loss,
                                      void* dz) noexcept nogil
        void (*elementwise_loss)(int loss, const double* parameters, Py_ssize_t rows, Py_ssize_t cols,
                                 const void* z, const void* Y, double inverse_total,
                                 const void* weight, double* row_loss,
                                 void* dz) noexcept nogil
        void (*dropout)(uint32_t key, uint32_t drop_below, double factor, Py_ssize_t first,
                        Py_ssize_t n, const void* x, void* out) noexcept nogil
        void (*update)(const dnn_step* step, Py_ssize_t n, const void* g, void* state1,
                       void* state2, void* w) noexcept nogil
        size_t (*layer_scratch)(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m) noexcept nogil
        void (*layer_forward)(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const void* a,
                              const void* W, const void* b, int activation, void* scratch,
                              void* out, void* slope) noexcept nogil
        void (*layer_delta)(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const void* dz,
                            const void* W, const void* kept, int activation, void* scratch,
                            void* out) noexcept nogil
        void (*layer_update)(const dnn_step* step, Py_ssize_t n, Py_ssize_t k, Py_ssize_t m,
                             Py_ssize_t first, Py_ssize_t last, const void* a,
                             const void* dz, void* scratch, void* state1, void* state2,
                             void* W) noexcept nogil
        void (*sparse_forward)(const dnn_csr_rows* a, Py_ssize_t n, Py_ssize_t m, const void* W,
                               const void* b, int activation, void* out,
                               void* slope) noexcept nogil
        void (*sparse_update)(const dnn_step* step, const dnn_csr_rows* a, Py_ssize_t n,
                              Py_ssize_t m, Py_ssize_t first, Py_ssize_t last, const void* dz,
                              Py_ssize_t* cursors, void* scratch, void* state1, void* state2,
                              void* W) noexcept nogil
        void (*embed)(const dnn_embedding* of, Py_ssize_t n, const void* x, const void* s,
                      const void* V, const void* c, void* out) noexcept nogil
        void (*embed_delta)(const dnn_embedding* of, Py_ssize_t n, const void* dout,
                            const void* x, const void* s, const void* V,
                            void* dx) noexcept nogil
        void (*embed_gradient)(const dnn_embedding* of, Py_ssize_t n, Py_ssize_t first,
                               Py_ssize_t last, const void* dout, const void* x, const void* s,
                               const void* V, const void* c, void* ds, void* dV,
                               void* dc) noexcept nogil
        Py_ssize_t (*packed_cols)(Py_ssize_t m) noexcept nogil
        void (*pack_weights)(Py_ssize_t k, Py_ssize_t m, const void* W,
                             void* packed) noexcept nogil
        void (*forward_packed)(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const void* a,
                               Py_ssize_t ld_a, const void* packed, const void* b,
                               int activation, Py_ssize_t ld_out, void* out) noexcept nogil
        Py_ssize_t (*packed_embedding)(const dnn_embedding* of) noexcept nogil
        void (*pack_embedding)(const dnn_embedding* of, const void* V, const void* c,
                               void* packed) noexcept nogil
        void (*embed_packed)(const dnn_embedding* of, Py_ssize_t n, const void* x, const void* s,
                             const void* packed, void* out) noexcept nogil

    ctypedef struct dnn_isa:
        const char* name
        const dnn_ops* f32
        const dnn_ops* f64

    const dnn_isa* dnn_isa_available(int i)


ctypedef fused real:
    float
    double

# The instruction set in use, selected when the package is imported.
cdef const dnn_isa* isa


cdef inline const dnn_ops* ops_for(const real* array) noexcept nogil:
    """Return the operations for the type of `array`, which is not dereferenced."""
    if real is float:
        return isa.f32
    else:
        return isa.f64
