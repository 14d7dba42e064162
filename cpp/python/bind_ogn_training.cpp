// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.h"
#include "ogn/stage_gradient.h"
#include "python/bindings.h"

#include <pybind11/numpy.h>

namespace py = pybind11;

namespace vitrify {

namespace {

using Floats = py::array_t<float, py::array::c_style>;
using Integers = py::array_t<std::int64_t, py::array::c_style>;

StageEdges edges_of(const Integers &edge_index, const Floats &vectors, const Integers &types)
{
  const std::int64_t n = edge_index.shape(1);
  return {n, edge_index.data(), edge_index.data() + n, types.data(), vectors.data()};
}

void check(const StageShape &shape, const Floats &x, const Floats &table)
{
  if (x.ndim() != 2 || x.shape(1) != shape.width || table.ndim() != 3 || table.shape(1) != shape.size + 3 ||
      table.shape(2) != shape.filters)
    throw Error("the arrays of a stage do not have its shape");
  if (shape.filters > MAX_FILTERS)
    throw Error("a stage has " + std::to_string(shape.filters) + " filters, " + std::to_string(MAX_FILTERS) +
                " are possible: take fewer channels or scalars");
}

}    // namespace

void bind_ogn_training(py::module_ &module)
{
  py::class_<StageShape>(module, "StageShape", "Sizes and ranges of a stage of the pair variant of OGN.")
      .def(py::init([](int channels, int scalars, int moments, int size, float start, float inverse_spacing,
                       float onset, float cutoff) {
             return stage_shape(channels, scalars, moments, size, start, inverse_spacing, onset, cutoff);
           }),
           py::kw_only(), py::arg("channels"), py::arg("scalars"), py::arg("moments"), py::arg("size"),
           py::arg("start"), py::arg("inverse_spacing"), py::arg("onset"), py::arg("cutoff"));
  module.def(
      "stage_forward",
      [](const StageShape &shape, const Integers &edge_index, const Floats &vectors, const Integers &types,
         const Floats &x, const Floats &table) {
        check(shape, x, table);
        Floats sums({x.shape(0), static_cast<py::ssize_t>(shape.outputs)});
        std::fill_n(sums.mutable_data(), sums.size(), 0.0f);
        float *to = sums.mutable_data();
        {
          const py::gil_scoped_release release;
          stage_forward(shape, edges_of(edge_index, vectors, types), x.data(), table.data(), to);
        }
        return sums;
      },
      "Sums (nodes, outputs) of one stage; see python/vitrify/ogn/models/pair.py.");
  module.def(
      "stage_backward",
      [](const StageShape &shape, const Integers &edge_index, const Floats &vectors, const Integers &types,
         const Floats &x, const Floats &table, const Floats &sums_gradient) {
        check(shape, x, table);
        Floats by_x({x.shape(0), x.shape(1)});
        Floats by_table({table.shape(0), table.shape(1), table.shape(2)});
        std::fill_n(by_x.mutable_data(), by_x.size(), 0.0f);
        std::fill_n(by_table.mutable_data(), by_table.size(), 0.0f);
        float *to_x = by_x.mutable_data(), *to_table = by_table.mutable_data();
        {
          const py::gil_scoped_release release;
          stage_backward(shape, edges_of(edge_index, vectors, types), x.data(), table.data(), sums_gradient.data(),
                         to_x, to_table);
        }
        return std::make_pair(by_x, by_table);
      },
      "Gradients by x and by the table, given that by the sums.");
}

}    // namespace vitrify
