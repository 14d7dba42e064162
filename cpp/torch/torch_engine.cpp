// SPDX-License-Identifier: BSD-3-Clause
#include "torch/torch_engine.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrify {

namespace {

template <typename T> void gather_rows(const at::Tensor &from, int n, const int *list, double *to)
{
  const T *data = from.const_data_ptr<T>();
  const std::int64_t width = from.size(1);
  for (int i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < width; ++k) *to++ = static_cast<double>(data[list[i] * width + k]);
}

template <typename T> void fill_rows(at::Tensor &to, int n, int first, const double *from)
{
  const std::int64_t width = to.size(1);
  T *data = to.mutable_data_ptr<T>() + first * width;
  for (std::int64_t k = 0; k < n * width; ++k) data[k] = static_cast<T>(from[k]);
}

}    // namespace

TorchEngine::TorchEngine(const EngineOptions &options) :
    program_(options, {"start", "layer", "finish"}), node_width_(program_.metadata().node_width),
    components_(program_.metadata().components()), cutoff_(program_.metadata().cutoff),
    reverse_edges_(program_.metadata().reverse_edges), reads_velocities_(program_.metadata().has_velocities())
{
  const std::size_t n_species = program_.metadata().species.size();
  closest_.assign(n_species * (n_species + 1) / 2, std::numeric_limits<double>::infinity());
}

std::vector<c10::IValue> TorchEngine::inputs(bool with_nodes) const
{
  std::vector<c10::IValue> values;
  if (with_nodes) values = {nodes_.to(program_.device()), memory_};
  values.emplace_back(types_);
  if (reads_velocities_) values.emplace_back(velocities_);
  values.emplace_back(edge_index_);
  values.emplace_back(edge_vectors_);
  if (with_nodes) values.emplace_back(n_owned_);
  return values;
}

// Runs `start` or `layer`, which give node features (rows, width) and the memory.
void TorchEngine::update(const char *method, std::vector<c10::IValue> arguments, std::int64_t rows)
{
  const auto output =
      program_.run(method, std::move(arguments), {{"node features", {rows, node_width_}}, {"memory", {ANY, ANY}}});
  nodes_.narrow(0, 0, rows).copy_(output[0]);
  memory_ = output[1];
}

// Both directions of a pair of owned atoms; of an owned atom and a ghost the one with the owned atom as centre, and the
// other one for models that ask for it.
void TorchEngine::find_edges(const Configuration &c)
{
  edges_.clear();
  std::vector<double> squares(closest_.size(), std::numeric_limits<double>::infinity());
  for (std::int64_t i = 0; i < c.n_owned; ++i) {
    const double *ri = c.positions + 3 * i;
    for (int k = 0; k < c.counts[i]; ++k) {
      const std::int64_t j = c.lists[i][k] & c.mask;
      const double *rj = c.positions + 3 * j;
      const std::array<double, 3> d{rj[0] - ri[0], rj[1] - ri[1], rj[2] - ri[2]};
      const double square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
      if (!(square < cutoff_ * cutoff_)) continue;
      double &least = squares[pair_of_species(c.types[i], c.types[j])];
      least = std::min(least, square);
      edges_.add(i, j, d);
      if (j < c.n_owned || reverse_edges_) edges_.add(j, i, {-d[0], -d[1], -d[2]});
    }
  }
  std::transform(squares.begin(), squares.end(), closest_.begin(), [](double square) { return std::sqrt(square); });
}

void TorchEngine::begin(const Configuration &configuration)
{
  const c10::InferenceMode guard;
  const std::int64_t n = configuration.n_nodes;
  n_owned_ = configuration.n_owned;
  find_edges(configuration);
  nodes_ = at::zeros({n, node_width_}, at::dtype(program_.dtype()));
  if (n_owned_ == 0) return;

  const std::vector<std::int64_t> types(configuration.types, configuration.types + n);
  types_ = program_.integers(types.data(), n);
  if (reads_velocities_) velocities_ = program_.reals(configuration.velocities, {n, 3});
  edge_vectors_ = edges_.vectors_on(program_);
  edge_index_ = edges_.index_on(program_);

  update("start", inputs(false), n);
}

void TorchEngine::layer(int index)
{
  if (n_owned_ == 0) return;
  const c10::InferenceMode guard;
  auto arguments = inputs(true);
  arguments.insert(arguments.begin(), static_cast<std::int64_t>(index));
  update("layer", std::move(arguments), n_owned_);
}

void TorchEngine::pack(int n, const int *list, double *buffer) const
{
  if (program_.dtype() == at::kDouble)
    gather_rows<double>(nodes_, n, list, buffer);
  else
    gather_rows<float>(nodes_, n, list, buffer);
}

void TorchEngine::unpack(int n, int first, const double *buffer)
{
  if (program_.dtype() == at::kDouble)
    fill_rows<double>(nodes_, n, first, buffer);
  else
    fill_rows<float>(nodes_, n, first, buffer);
}

void TorchEngine::finish(double *first, double *second)
{
  if (n_owned_ == 0) return;
  const c10::InferenceMode guard;
  const auto shape =
      components_ == 1 ? std::vector<std::int64_t>{n_owned_} : std::vector<std::int64_t>{n_owned_, components_};
  const auto output = program_.run("finish", inputs(true), {{"results", shape}, {"results", shape}});
  double *targets[] = {first, second};
  for (std::size_t k = 0; k < 2; ++k) {
    const at::Tensor result = output[k].to(at::kCPU, at::kDouble).contiguous();
    std::copy_n(result.const_data_ptr<double>(), result.numel(), targets[k]);
  }
}

std::size_t TorchEngine::bytes() const
{
  std::size_t sum = edges_.bytes();
  for (const at::Tensor &tensor : {types_, velocities_, edge_index_, edge_vectors_, nodes_, memory_})
    if (tensor.defined()) sum += tensor.nbytes();
  return sum;
}

}    // namespace vitrify

extern "C" __attribute__((visibility("default"))) vitrify::Engine *
vitrify_make_torch_engine(const vitrify::EngineOptions &options, std::string &message)
{ return vitrify::make_or_explain<vitrify::TorchEngine>(options, message); }
