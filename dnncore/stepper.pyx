"""Training steps at the cost of their arithmetic: for nogil code, and for arrays that can be used
as they are."""

import numpy as np

cimport numpy as cnp
from cpython.long cimport PyLong_AsSsize_t, PyLong_Check
from libc.math cimport INFINITY

from ._core.arrays cimport empty_rows, fit_together, usable_as_it_is
from ._core.csrc cimport isa
from ._core.engine cimport Engine

cnp.import_array()


cdef bint _all_between(Py_ssize_t n, const cnp.npy_intp* x, Py_ssize_t low,
                       Py_ssize_t high) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if x[i] < low or x[i] >= high:
            return False
    return True


cdef class Stepper:
    """Training steps of a :class:`dnncore.training.Trainer`, compiled, without allocation.

    Steppers are created by :meth:`dnncore.training.Trainer.stepper`, for Cython: ``stepper.pxd``
    declares functions of pointers that need no GIL. A step changes the network, the solver's state
    and the number of steps of the trainer, as its own methods do, and uses its current
    learning rate. A stepper is valid until the trainer is configured anew or loads a state, or the
    network gets another norm. It may be used by one thread at a time.

    Attributes
    ----------
    n_features, n_outputs : int
        Numbers of columns of the rows and of the outputs.
    max_rows : int
        Largest number of rows of a step.
    dtype : numpy.dtype
        Data type of all arrays but the class indices, which are intp.
    mean, scale : array of shape (n_features,) or None
        The norm of the network that the stepper was made for.
    """

    # All is done here rather than in __init__, so that no stepper exists without its engine.
    def __cinit__(self, network, Engine engine not None, counter, rate, *,
                  double low=-INFINITY, double high=INFINITY):
        self._engine, self._counter, self._rate = engine, counter, rate
        self._pointer = <void*> engine
        self._steps = <int64_t*> cnp.PyArray_DATA(counter)
        self._learning_rate = <double*> cnp.PyArray_DATA(rate)
        self.mean, self.scale = engine.mean, engine.scale
        self.dtype = network.dtype
        self._typenum = cnp.NPY_FLOAT32 if network.dtype == np.float32 else cnp.NPY_FLOAT64
        self.n_features, self.n_outputs = network.n_features, network.layer_sizes[-1]
        self.max_rows = engine.batch_size
        self._takes_classes = network.output == "softmax"
        self._may_miss = network.missing is not None
        self._low, self._high = low, high

    # -------------------------------------------------------------------------- without the GIL

    cdef double step_f32(self, Py_ssize_t n, const float* x, const Py_ssize_t* label,
                         const float* targets, const float* sample_weight) noexcept nogil:
        return self._step(n, x, label, targets, sample_weight)

    cdef double step_f64(self, Py_ssize_t n, const double* x, const Py_ssize_t* label,
                         const double* targets, const double* sample_weight) noexcept nogil:
        return self._step(n, x, label, targets, sample_weight)

    cdef void forward_f32(self, Py_ssize_t n, const float* x, float* outputs) noexcept nogil:
        self._forward(n, x, outputs)

    cdef void forward_f64(self, Py_ssize_t n, const double* x, double* outputs) noexcept nogil:
        self._forward(n, x, outputs)

    cdef void backward_f32(self, const float* d_outputs, const float* dz) noexcept nogil:
        self._backward(d_outputs, dz)

    cdef void backward_f64(self, const double* d_outputs, const double* dz) noexcept nogil:
        self._backward(d_outputs, dz)

    cdef double _step(self, Py_ssize_t n, const void* x, const Py_ssize_t* label,
                      const void* targets, const void* sample_weight) noexcept nogil:
        cdef Py_ssize_t before = self._steps[0]
        self._steps[0] = before + 1
        self._n_forward = 0
        return (<Engine> self._pointer).step(n, x, label, targets, sample_weight,
                                             self._learning_rate[0], before)

    cdef void _forward(self, Py_ssize_t n, const void* x, void* outputs) noexcept nogil:
        self._n_forward = n
        (<Engine> self._pointer).forward(n, x, self._steps[0], outputs)

    cdef void _backward(self, const void* d_outputs, const void* dz) noexcept nogil:
        cdef Py_ssize_t before = self._steps[0], n = self._n_forward
        self._steps[0] = before + 1
        self._n_forward = 0
        (<Engine> self._pointer).backward(n, d_outputs, dz, self._learning_rate[0], before)

    # ---------------------------------------------- for the trainer: arrays, if they fit as they are

    cdef bint _are_rows(self, object X) noexcept:
        """Whether X contains at most `max_rows` rows that need neither conversion nor an error."""
        return (
            usable_as_it_is(X, self._typenum, self.n_features, False)
            and (cnp.PyArray_NDIM(X) == 1 or 0 < cnp.PyArray_DIM(X, 0) <= self.max_rows)
            and not self._may_miss
            and self._are_finite(X)
        )

    cdef bint _are_finite(self, object array) noexcept:
        cdef Py_ssize_t n = cnp.PyArray_SIZE(array)
        cdef const void* data = cnp.PyArray_DATA(array)
        if self._typenum == cnp.NPY_FLOAT32:
            return isa.f32.all_finite(n, data)
        return isa.f64.all_finite(n, data)

    cdef bint _are_classes(self, object y, Py_ssize_t n) noexcept:
        """Whether y contains n class indices."""
        return (
            usable_as_it_is(y, cnp.NPY_INTP, n, False)
            and cnp.PyArray_NDIM(y) == 1
            and _all_between(n, <const cnp.npy_intp*> cnp.PyArray_DATA(y), 0, self.n_outputs)
        )

    cdef bint _are_targets(self, object y, Py_ssize_t n) noexcept:
        """Whether y contains n rows of soft labels or targets."""
        cdef Py_ssize_t i
        cdef double value
        if usable_as_it_is(y, self._typenum, self.n_outputs, False) and cnp.PyArray_NDIM(y) == 2:
            if cnp.PyArray_DIM(y, 0) != n:
                return False
        elif (
            self._takes_classes
            or self.n_outputs != 1
            or not usable_as_it_is(y, self._typenum, n, False)
            or cnp.PyArray_NDIM(y) != 1
        ):
            return False
        if not self._are_finite(y):
            return False
        if self._low == -INFINITY and self._high == INFINITY:
            return True
        for i in range(cnp.PyArray_SIZE(y)):
            if self._typenum == cnp.NPY_FLOAT32:
                value = (<const float*> cnp.PyArray_DATA(y))[i]
            else:
                value = (<const double*> cnp.PyArray_DATA(y))[i]
            if not self._low <= value <= self._high:
                return False
        return True

    cdef bint _are_weights(self, object weight, Py_ssize_t n) noexcept:
        """Whether `weight` contains n weights with a sum that needs no scaling."""
        cdef Py_ssize_t i
        cdef double value, total = 0.0
        if not usable_as_it_is(weight, self._typenum, n, False) or cnp.PyArray_NDIM(weight) != 1:
            return False
        for i in range(n):
            if self._typenum == cnp.NPY_FLOAT32:
                value = (<const float*> cnp.PyArray_DATA(weight))[i]
            else:
                value = (<const double*> cnp.PyArray_DATA(weight))[i]
            if not value >= 0.0:
                return False
            total += value
        return 1e-30 < total < 1e30  # as in labels.py

    def try_step(self, X, y, sample_weight):
        """Return the loss of a step; None, without any change, if an array needs to be checked."""
        cdef Py_ssize_t n
        cdef const void* x
        cdef const Py_ssize_t* label = NULL
        cdef const void* targets = NULL
        cdef const void* weight = NULL
        cdef double loss
        if not self._are_rows(X) or cnp.PyArray_NDIM(X) != 2:
            return None
        n, x = cnp.PyArray_DIM(X, 0), cnp.PyArray_DATA(X)
        if self._takes_classes and self._are_classes(y, n):
            label = <const Py_ssize_t*> cnp.PyArray_DATA(y)
        elif self._are_targets(y, n):
            targets = cnp.PyArray_DATA(y)
        else:
            return None
        if sample_weight is not None:
            if not self._are_weights(sample_weight, n):
                return None
            weight = cnp.PyArray_DATA(sample_weight)
        with nogil:
            loss = self._step(n, x, label, targets, weight)
        return loss

    def try_learn_one(self, x, y):
        """Return the loss of a step on the row x (n_features,); None as in `try_step`.

        y is a class index, a number, or an array of targets.
        """
        cdef const void* row
        cdef Py_ssize_t label
        cdef double loss, value
        cdef float single
        cdef const void* targets
        if not self._are_rows(x) or cnp.PyArray_NDIM(x) != 1:
            return None
        row = cnp.PyArray_DATA(x)
        if self._takes_classes and PyLong_Check(y) and not isinstance(y, bool):
            try:
                label = PyLong_AsSsize_t(y)
            except OverflowError:
                return None
            if not 0 <= label < self.n_outputs:
                return None
            return self._step(1, row, &label, NULL, NULL)
        if isinstance(y, float) and self.n_outputs == 1 and not self._takes_classes:
            value = y
            single = <float> value
            if not self._low <= value <= self._high or value - value != 0.0:
                return None
            if self._typenum == cnp.NPY_FLOAT32:
                targets = &single
            else:
                targets = &value
            return None if single - single != 0.0 else self._step(1, row, NULL, targets, NULL)
        if cnp.PyArray_CheckExact(y) and cnp.PyArray_NDIM(y) == 1 and not self._takes_classes:
            y = y[None]  # a row of targets
            if self._are_targets(y, 1):
                return self._step(1, row, NULL, cnp.PyArray_DATA(y), NULL)
        return None

    def try_forward(self, X, out):
        """Return the outputs, which `try_backward` relies on; None as in `try_step`."""
        cdef Py_ssize_t n
        cdef const void* x
        cdef void* outputs
        if not self._are_rows(X):
            return None
        if out is None:
            out = empty_rows(X, self.n_outputs, self._typenum)
        elif not (usable_as_it_is(out, self._typenum, self.n_outputs, True)
                  and fit_together(X, out)):
            return None
        n = 1 if cnp.PyArray_NDIM(X) == 1 else cnp.PyArray_DIM(X, 0)
        x, outputs = cnp.PyArray_DATA(X), cnp.PyArray_DATA(out)
        with nogil:
            self._forward(n, x, outputs)
        return out

    def try_backward(self, d_outputs, dz):
        """Return whether the step has been made; if not, nothing is changed.

        One of the two is None.
        """
        given = dz if d_outputs is None else d_outputs
        cdef const void* d
        cdef bint of_outputs = d_outputs is not None
        if (
            self._n_forward == 0
            or not usable_as_it_is(given, self._typenum, self.n_outputs, False)
            or cnp.PyArray_SIZE(given) != self._n_forward * self.n_outputs
            or not self._are_finite(given)
        ):
            return False
        d = cnp.PyArray_DATA(given)
        with nogil:
            self._backward(d if of_outputs else NULL, d)
        return True

    # --------------------------------------------------------- for the trainer: checked arguments

    def step_on(self, X, label, L, sample_weight):
        """Return the loss of a step on checked rows, dense or CSR, and labels."""
        self._n_forward = 0
        cdef Py_ssize_t before = self._steps[0]
        self._steps[0] = before + 1
        loss, _ = self._engine.train_epoch(
            X, label, L, sample_weight, None, rate=self._learning_rate[0], steps_before=before
        )
        return loss / X.shape[0]

    def forward_on(self, X, out):
        """Write the outputs for checked, dense rows to `out`."""
        cdef Py_ssize_t n = X.shape[0]
        cdef const void* x = cnp.PyArray_DATA(X)
        cdef void* outputs = cnp.PyArray_DATA(out)
        with nogil:
            self._forward(n, x, outputs)

    @property
    def n_forward(self):
        """Number of rows of the last forward pass, if a backward pass may follow; otherwise 0."""
        return self._n_forward
