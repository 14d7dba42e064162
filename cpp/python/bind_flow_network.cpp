// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/moment_gradient.h"
#include "base/error.h"
#include "engines/kind.h"
#include "python/binding_helpers.h"
#include "python/bindings.h"

#include <algorithm>
#include <optional>

namespace vitrify {

namespace {

// Arrays that are taken as they are, without a copy in another type.
template <typename T> using Array = py::array_t<T, py::array::c_style>;
using Index = py::array_t<std::int64_t, py::array::c_style>;

template <typename T> Array<T> zeros(const std::vector<py::ssize_t> &shape)
{
  Array<T> array(shape);
  std::fill_n(array.mutable_data(), array.size(), T(0));
  return array;
}

/// Arrays of one layer, checked.
template <typename T> struct Layer {
  MomentGraph<T> graph;
  MomentInputs<T> inputs;
  py::ssize_t nodes, width;

  Layer(const Index &edge_index, const Array<T> &distances, const Array<T> &harmonics, const Array<T> &s,
        const std::optional<Array<T>> &v, const Array<T> &weight, double start, double inverse_spacing)
  {
    if (s.ndim() != 2 || weight.ndim() != 3 || edge_index.ndim() != 2)
      throw Error("give s (N, W), a weight (1, size, filters) and an edge_index (2, E)");
    nodes = s.shape(0);
    width = s.shape(1);
    const py::ssize_t n = edge_index.shape(1), size = weight.shape(1), filters = v ? 2 * width : width;
    if (width % 8 || width < 8 || size < 1 || size > 1 << 20 || !has_shape(weight, {1, size, filters}) ||
        edge_index.shape(0) != 2 || !has_shape(distances, {n}) || !has_shape(harmonics, {n, HARMONICS}) ||
        (v && !has_shape(*v, {nodes, 3, width})))
      throw Error("the arrays of a layer of moments do not fit together");
    const std::int64_t *index = edge_index.data();
    for (py::ssize_t k = 0; k < 2 * n; ++k)
      if (index[k] < 0 || index[k] >= nodes)
        throw Error("an edge has the node " + std::to_string(index[k]) + " of " + std::to_string(nodes));
    graph = {n, index, index + n, distances.data(), harmonics.data()};
    inputs = {{static_cast<T>(start), static_cast<T>(inverse_spacing), static_cast<int>(size)},
              static_cast<int>(width),
              s.data(),
              v ? v->data() : nullptr,
              weight.data()};
  }
};

template <typename T>
py::tuple forward(const Index &edge_index, const Array<T> &distances, const Array<T> &harmonics, const Array<T> &s,
                  const std::optional<Array<T>> &v, const Array<T> &weight, double start, double inverse_spacing)
{
  const Layer<T> layer(edge_index, distances, harmonics, s, v, weight, start, inverse_spacing);
  Array<T> moments = zeros<T>({layer.nodes, HARMONICS, layer.width});
  Array<T> carried = zeros<T>({v ? layer.nodes : 0, CARRIED, layer.width});
  T *to_moments = moments.mutable_data(), *to_carried = carried.mutable_data();
  {
    const py::gil_scoped_release release;
    sum_moments(layer.graph, layer.inputs, to_moments, to_carried);
  }
  return py::make_tuple(moments, carried);
}

template <typename T>
py::tuple backward(const Index &edge_index, const Array<T> &distances, const Array<T> &harmonics, const Array<T> &s,
                   const std::optional<Array<T>> &v, const Array<T> &weight, double start, double inverse_spacing,
                   const Array<T> &by_moments, const Array<T> &by_carried)
{
  const Layer<T> layer(edge_index, distances, harmonics, s, v, weight, start, inverse_spacing);
  const py::ssize_t rows = v ? layer.nodes : 0;
  if (!has_shape(by_moments, {layer.nodes, HARMONICS, layer.width}) ||
      !has_shape(by_carried, {rows, CARRIED, layer.width}))
    throw Error("the gradients by the moments do not have their shapes");
  Array<T> by_s = zeros<T>({layer.nodes, layer.width}), by_v = zeros<T>({rows, 3, layer.width});
  Array<T> by_weight = zeros<T>({1, weight.shape(1), weight.shape(2)});
  T *to_s = by_s.mutable_data(), *to_v = by_v.mutable_data(), *to_weight = by_weight.mutable_data();
  {
    const py::gil_scoped_release release;
    moments_backward(layer.graph, layer.inputs, by_moments.data(), by_carried.data(), to_s, to_v, to_weight);
  }
  return py::make_tuple(by_s, by_v, by_weight);
}

template <typename T> void bind_moments(py::module_ &module)
{
  module.def("moments_forward", &forward<T>, py::arg("edge_index"), py::arg("distances").noconvert(),
             py::arg("harmonics").noconvert(), py::arg("s").noconvert(), py::arg("v").noconvert(),
             py::arg("weight").noconvert(), py::arg("start"), py::arg("inverse_spacing"),
             "Moments (N, 9, W) and sums over carried vectors (N, 4, W), or (0, 4, W) without v; see "
             "python/vitrify/amshortcut/models/flow.py.");
  module.def("moments_backward", &backward<T>, py::arg("edge_index"), py::arg("distances").noconvert(),
             py::arg("harmonics").noconvert(), py::arg("s").noconvert(), py::arg("v").noconvert(),
             py::arg("weight").noconvert(), py::arg("start"), py::arg("inverse_spacing"),
             py::arg("by_moments").noconvert(), py::arg("by_carried").noconvert(),
             "Gradients by s, v and the weight, given those by the two results of moments_forward.");
}

/// A flow network for hosts that have positions and a cell.
class NativeFlowNetwork {
public:
  explicit NativeFlowNetwork(const std::string &path) :
      file_(std::make_shared<const ModelFile>(path)),
      network_([file = file_] { return make_native_flow_network(*file); })
  {
  }

  Reals velocity(const Reals &cell, const Reals &positions, const Integers &types, double time, double step,
                 const Reals &properties, const Reals &known)
  {
    const py::ssize_t n = types.size();
    const auto n_properties = static_cast<py::ssize_t>(file_->metadata().generator.properties.size());
    if (types.ndim() != 1 || !has_shape(positions, {n, 3}) || !has_shape(cell, {3, 3}) ||
        !has_shape(properties, {n_properties}) || !has_shape(known, {n_properties}))
      throw Error("give a cell (3, 3), positions (N, 3), types (N,), and properties and known (" +
                  std::to_string(n_properties) + ",)");
    const std::array<Vector3, 3> rows = cell_of(cell);
    Reals out({n, py::ssize_t(3)});
    double *to = out.mutable_data();
    network_.use([&](FlowNetwork &network) {
      network.velocity(rows, static_cast<std::size_t>(n), positions.data(), types.data(), time, step, properties.data(),
                       known.data(), to);
    });
    return out;
  }

  std::size_t bytes() const
  {
    std::size_t found = 0;
    network_.use([&](const FlowNetwork &network) { found = network.bytes(); });
    return found;
  }
  py::bytes file_bytes() const { return py::bytes(file_->bytes()); }

private:
  std::shared_ptr<const ModelFile> file_;
  InTurns<FlowNetwork> network_;
};

}    // namespace

void bind_flow_network(py::module_ &module)
{
  py::class_<NativeFlowNetwork>(module, "NativeFlowNetwork",
                                "The flow of a model file of kind amshortcut or glassvae in the native engine.")
      .def(py::init<const std::string &>(), py::arg("path"))
      .def("velocity", &NativeFlowNetwork::velocity, py::arg("cell"), py::arg("positions"), py::arg("types"),
           py::arg("time"), py::arg("step"), py::arg("properties"), py::arg("known"),
           "Average velocities (N, 3) in a periodic cell (3, 3), rows; known (P,) is 1 where a property is asked for "
           "and 0 elsewhere. Releases the GIL.")
      .def_property_readonly("bytes", &NativeFlowNetwork::bytes, "Bytes that the engine holds.")
      .def_property_readonly("file_bytes", &NativeFlowNetwork::file_bytes,
                             "The model file, as it was when it was opened.")
      .def(
          "copy", [](const NativeFlowNetwork &own) { return std::make_unique<NativeFlowNetwork>(own); },
          "Another engine for the same file.");
  bind_moments<float>(module);
  bind_moments<double>(module);
}

}    // namespace vitrify
