// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/flow_network_engine.h"

#include "amshortcut/flow_network_tables.h"
#include "amshortcut/moment_kernels.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/threads.h"
#include "neighbours/node_grid.h"
#include "neighbours/periodic.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace vitrify {

namespace {

/// What one thread needs for the atoms that it works on.
template <typename T> struct FlowNetworkWorkspace {
  Buffer<int> found;    // of one atom
  Buffer<T> vectors[3];
  SplineEdges<T> edges;
  Buffer<T> moments, carried, arranged, mixed, turned, scalars, hiddens, changes, s, v;    // of BATCH atoms

  explicit FlowNetworkWorkspace(const FlowNetworkTables<T> &t)
  {
    const auto n = static_cast<std::size_t>(BATCH), w = static_cast<std::size_t>(t.width);
    moments.reserve(HARMONICS * n * w);
    carried.reserve(CARRIED * n * w);
    arranged.reserve(9 * n * w);
    mixed.reserve(6 * n * w);
    turned.reserve(3 * n * w);
    scalars.reserve(6 * n * w);
    hiddens.reserve(2 * n * w);
    changes.reserve(n * static_cast<std::size_t>(std::max(t.out_width, t.gate_width)));
    s.reserve(n * w);
    v.reserve(3 * n * w);
  }

  /// Room for the nodes that may be neighbours.
  FoundNeighbours<T> neighbours(std::size_t count)
  {
    found.reserve(count + BLOCK);
    for (Buffer<T> &one : vectors) one.reserve(count + BLOCK);
    return {found.data(), {vectors[0].data(), vectors[1].data(), vectors[2].data()}};
  }

  std::size_t bytes() const
  {
    std::size_t sum = found.bytes() + sizeof(edges);
    for (const Buffer<T> *one : {&vectors[0], &vectors[1], &vectors[2], &moments, &carried, &arranged, &mixed, &turned,
                                 &scalars, &hiddens, &changes, &s, &v})
      sum += one->bytes();
    return sum;
  }
};

template <typename T> class NativeFlowNetwork : public FlowNetwork {
public:
  explicit NativeFlowNetwork(FlowNetworkModel model) :
      model_(std::move(model)), kernels_(chosen_kernels<MomentKernels<T>>()), tables_(model_, kernels_.lanes),
      threads_(Threads::from_environment())
  {
    for (int k = 0; k < threads_.count(); ++k) workspaces_.emplace_back(tables_);
    grid_of_splines_ = {T(0), static_cast<T>(tables_.splines / tables_.cutoff), tables_.splines};
  }

  void velocity(const std::array<Vector3, 3> &cell, std::size_t n, const double *positions, const int *types,
                double time, double step, const double *properties, const double *known, double *out) override;
  const FlowSizes &sizes() const override { return model_.sizes; }
  std::size_t bytes() const override;

private:
  // The features of all atoms, which two layers in turn read and write; rows are in the order of the grid.
  struct Features {
    Buffer<T> s, v;    // (n, width), (n, 3, width)
  };

  void check(std::size_t n, const double *positions, const int *types, double time, double step,
             const double *properties, const double *known) const;
  void sort_atoms(std::size_t n);
  void run_layer(std::size_t index);
  void sum(FlowNetworkWorkspace<T> &workspace, std::size_t index, std::size_t row, T *moments, T *carried);
  void mix(FlowNetworkWorkspace<T> &workspace, std::size_t index, std::size_t first, int n);
  void write(double *out) const;

  FlowNetworkModel model_;
  MomentKernels<T> kernels_;
  FlowNetworkTables<T> tables_;
  SplineGrid<T> grid_of_splines_{};
  Threads threads_;
  std::vector<FlowNetworkWorkspace<T>> workspaces_;

  PeriodicSystem system_;
  Configuration c_;
  NodeGrid grid_;
  std::vector<T> modulation_;    // (layers, 2, 2 width)
  Buffer<int> places_;           // of each row, its place in the grid
  Buffer<int> rows_;             // of each atom
  Buffer<int> seen_;             // of each place in the grid, the row of the atom that it is, or an image of
  Features features_[2];
  Buffer<double> answers_;    // (n, 3)
};

template <typename T>
void NativeFlowNetwork<T>::check(std::size_t n, const double *positions, const int *types, double time, double step,
                                 const double *properties, const double *known) const
{
  for (std::size_t i = 0; i < n; ++i)
    if (types[i] < 0 || types[i] >= model_.n_species)
      throw Error("atom " + std::to_string(i) + " has the type " + std::to_string(types[i]) + ": the model has " +
                  std::to_string(model_.n_species) + " species, counted from 0");
  for (std::size_t k = 0; k < 3 * n; ++k)
    if (!std::isfinite(positions[k]))
      throw Error("the position of atom " + std::to_string(k / 3) + " is NaN or infinite: give finite numbers");
  for (int p = 0; p < model_.n_properties; ++p)
    if (!(known[p] >= 0.0 && known[p] <= 1.0) || (known[p] > 0.0 && !std::isfinite(properties[p])))
      throw Error("property " + std::to_string(p) + " is not a finite number with a mark, 0 or 1, that says if it is " +
                  "asked for");
  if (!(time >= 0.0 && time <= 1.0 && step >= 0.0 && step <= 1.0))
    throw Error("time is " + std::to_string(time) + " and the step " + std::to_string(step) +
                ": give numbers from 0 to 1");
}

// Rows follow the grid, so that neighbours stand near each other in memory.
template <typename T> void NativeFlowNetwork<T>::sort_atoms(std::size_t n)
{
  const auto nodes = static_cast<std::size_t>(c_.n_nodes);
  places_.reserve(n);
  rows_.reserve(n);
  seen_.reserve(nodes + BLOCK);
  int row = 0;
  for (std::size_t place = 0; place < nodes; ++place) {
    const int node = grid_.ids()[place];
    if (node >= c_.n_owned) continue;
    places_[static_cast<std::size_t>(row)] = static_cast<int>(place);
    rows_[static_cast<std::size_t>(node)] = row++;
  }
  const int *owners = system_.owners();
  for (std::size_t place = 0; place < nodes; ++place)
    seen_[place] = rows_[static_cast<std::size_t>(owners[grid_.ids()[place]])];
}

// The moments of one atom.
template <typename T>
void NativeFlowNetwork<T>::sum(FlowNetworkWorkspace<T> &workspace, std::size_t index, std::size_t row, T *moments,
                               T *carried)
{
  CellRange ranges[MAX_RANGES];
  NeighbourQuery around{};
  around.ids = seen_.data();
  const FoundNeighbours<T> found = workspace.neighbours(grid_.surround(places_[row], tables_.cutoff, ranges, around));
  const int n = kernels_.find(around, tables_.cutoff * tables_.cutoff, found);

  const Features &from = features_[index % 2];
  const MomentSums<T> sums{tables_.width, tables_.layers[index].filters.data(),
                           from.s.data(), index ? from.v.data() : nullptr,
                           moments,       carried};
  for (int first = 0; first < n; first += BLOCK) {
    kernels_.measure(grid_of_splines_, found, first, std::min(BLOCK, n - first), &workspace.edges);
    kernels_.sum(sums, workspace.edges);
  }
}

// The atoms of rows first ... first + n - 1 in one layer; after the last one, their answers.
template <typename T>
void NativeFlowNetwork<T>::mix(FlowNetworkWorkspace<T> &workspace, std::size_t index, std::size_t first, int n)
{
  const auto w = static_cast<std::size_t>(tables_.width);
  const auto rows = static_cast<std::size_t>(n);
  std::fill_n(workspace.moments.data(), HARMONICS * rows * w, T(0));
  std::fill_n(workspace.carried.data(), CARRIED * rows * w, T(0));
  for (std::size_t k = 0; k < rows; ++k)
    sum(workspace, index, first + k, workspace.moments.data() + HARMONICS * w * k,
        workspace.carried.data() + CARRIED * w * k);

  const typename FlowNetworkTables<T>::Layer &layer = tables_.layers[index];
  const Features &from = features_[index % 2];
  Features &to = features_[(index + 1) % 2];
  const bool last = index + 1 == tables_.layers.size();
  MomentMixing<T> m{};
  m.width = tables_.width;
  m.out_width = tables_.out_width;
  m.first = index == 0;
  m.mix = layer.mix.data();
  m.hidden = layer.hidden.data();
  m.hidden_bias = layer.hidden_bias.data();
  m.gain = modulation_.data() + 4 * w * index;
  m.shift = m.gain + 2 * w;
  m.out = layer.out.data();
  m.out_bias = layer.out_bias.data();
  m.s = from.s.data() + w * first;
  m.v = from.v.data() + 3 * w * first;
  m.moments = workspace.moments.data();
  m.carried = workspace.carried.data();
  m.new_s = last ? workspace.s.data() : to.s.data() + w * first;
  m.new_v = last ? workspace.v.data() : to.v.data() + 3 * w * first;
  m.vectors = workspace.arranged.data();
  m.mixed = workspace.mixed.data();
  m.turned = workspace.turned.data();
  m.scalars = workspace.scalars.data();
  m.hiddens = workspace.hiddens.data();
  m.changes = workspace.changes.data();
  kernels_.mix(m, n);
  if (last)
    kernels_.read_out({tables_.width, tables_.gate_width, tables_.gate.data(), tables_.gate_bias.data(), m.new_s,
                       m.new_v, workspace.changes.data()},
                      n, answers_.data() + 3 * first);
}

template <typename T> void NativeFlowNetwork<T>::run_layer(std::size_t index)
{
  // Batches are the same for any number of threads, so that every bit is.
  const std::int64_t batches = (c_.n_owned + BATCH - 1) / BATCH;
  threads_.run([&](int number) {
    FlowNetworkWorkspace<T> &workspace = workspaces_[static_cast<std::size_t>(number)];
    const std::int64_t end = batches * (number + 1) / threads_.count();
    for (std::int64_t batch = batches * number / threads_.count(); batch < end; ++batch) {
      const std::int64_t first = batch * BATCH;
      mix(workspace, index, static_cast<std::size_t>(first),
          static_cast<int>(std::min<std::int64_t>(BATCH, c_.n_owned - first)));
    }
  });
}

// In the order of the atoms, less the mean.
template <typename T> void NativeFlowNetwork<T>::write(double *out) const
{
  const auto n = static_cast<std::size_t>(c_.n_owned);
  Vector3 mean{};
  for (std::size_t k = 0; k < 3 * n; ++k) mean[k % 3] += answers_[k] / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < 3; ++k) out[3 * i + k] = answers_[3 * static_cast<std::size_t>(rows_[i]) + k] - mean[k];
}

template <typename T>
void NativeFlowNetwork<T>::velocity(const std::array<Vector3, 3> &cell, std::size_t n, const double *positions,
                                    const int *types, double time, double step, const double *properties,
                                    const double *known, double *out)
{
  check(n, positions, types, time, step, properties, known);
  if (n == 0) return;
  system_.build(cell, n, positions, nullptr, types, tables_.cutoff);
  c_ = system_.configuration();
  grid_.build(c_, tables_.cutoff);
  sort_atoms(n);
  const std::vector<double> modulation = model_.modulation(time, step, properties, known);
  modulation_.assign(modulation.begin(), modulation.end());

  const auto w = static_cast<std::size_t>(tables_.width);
  const std::size_t sets = tables_.layers.size() > 1 ? 2 : 1;    // the last layer's features are not kept
  for (std::size_t k = 0; k < sets; ++k) {
    features_[k].s.reserve(n * w);
    features_[k].v.reserve(3 * n * w);
  }
  answers_.reserve(3 * n);
  for (std::size_t i = 0; i < n; ++i)
    std::copy_n(tables_.embedding.data() + static_cast<std::size_t>(types[i]) * w, w,
                features_[0].s.data() + static_cast<std::size_t>(rows_[i]) * w);
  for (std::size_t index = 0; index < tables_.layers.size(); ++index) run_layer(index);
  write(out);
}

template <typename T> std::size_t NativeFlowNetwork<T>::bytes() const
{
  std::size_t sum = tables_.bytes() + system_.bytes() + grid_.bytes() + places_.bytes() + rows_.bytes() +
                    seen_.bytes() + answers_.bytes();
  for (const Features &features : features_) sum += features.s.bytes() + features.v.bytes();
  for (const FlowNetworkWorkspace<T> &workspace : workspaces_) sum += workspace.bytes();
  return sum;
}

}    // namespace

std::unique_ptr<FlowNetwork> make_flow_network(const ModelFile &file, const std::string &part)
{
  FlowNetworkModel model(file, FlowSettings(file, part));
  if (file.metadata().dtype == "float64") return std::make_unique<NativeFlowNetwork<double>>(std::move(model));
  return std::make_unique<NativeFlowNetwork<float>>(std::move(model));
}

}    // namespace vitrify
