// SPDX-License-Identifier: BSD-3-Clause
#include "amshortcut/flow_network_engine.h"

#include "amshortcut/flow_network_tables.h"
#include "amshortcut/moment_kernels.h"
#include "base/error.h"
#include "base/text.h"
#include "engines/native_base.h"
#include "neighbours/periodic.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <utility>

namespace vitrify {

namespace {

/// Arrays of one thread for the atoms that it works on; the kernels' arguments say what they hold.
template <typename T> struct FlowNetworkWorkspace : Workspace {
  // Of one atom.
  Array<int> found{*this};
  Array<T> vectors[3]{*this, *this, *this};
  SplineEdges<T> edges;
  // Of BATCH atoms.
  Array<T> moments{*this}, carried{*this}, arranged{*this}, mixed{*this}, turned{*this}, scalars{*this}, hiddens{*this},
      changes{*this}, s{*this}, v{*this};

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

  /// Space for `count` nodes that may be neighbours of an atom.
  FoundNeighbours<T> neighbours(std::size_t count)
  {
    found.reserve(count + BLOCK);
    for (Array<T> &one : vectors) one.reserve(count + BLOCK);
    return {found.data(), {vectors[0].data(), vectors[1].data(), vectors[2].data()}};
  }
};

template <typename T> class NativeFlowNetwork : public FlowNetwork, private NativeBase<MomentKernels<T>> {
public:
  explicit NativeFlowNetwork(FlowNetworkModel model) : model_(std::move(model)), tables_(model_, kernels_.lanes)
  {
    for (std::size_t k = 0; k < this->n_threads(); ++k) workspaces_.emplace_back(tables_);
    spline_grid_ = {T(0), static_cast<T>(tables_.splines / tables_.cutoff), tables_.splines};
  }

  void velocity(const std::array<Vector3, 3> &cell, std::size_t n, const double *positions, const int *types,
                double time, double step, const double *properties, const double *known, double *out) override;
  const FlowSizes &sizes() const override { return model_.sizes; }
  std::size_t bytes() const override;

private:
  using Base = NativeBase<MomentKernels<T>>;
  using Base::c_, Base::grid_, Base::kernels_, Base::memory_;

  void check(std::size_t n, const double *positions, const int *types, double time, double step,
             const double *properties, const double *known) const;
  void sort_atoms(std::size_t n);
  void run_layer(std::size_t index);
  void sum(FlowNetworkWorkspace<T> &workspace, std::size_t index, std::size_t row, T *moments, T *carried);
  void mix(FlowNetworkWorkspace<T> &workspace, std::size_t index, std::size_t first, int n);
  void write(double *out) const;

  FlowNetworkModel model_;
  FlowNetworkTables<T> tables_;
  SplineGrid<T> spline_grid_{};
  std::deque<FlowNetworkWorkspace<T>> workspaces_;    // of each thread

  PeriodicSystem system_;
  std::vector<T> modulation_;                // (layers, 2, 2 width)
  Workspace::Array<int> places_{memory_};    // of each row, its place in the grid
  Workspace::Array<int> rows_{memory_};      // of each atom
  Workspace::Array<int> owners_{
      memory_};    // of each place in the grid, the row of the atom that it is, or an image of
  // Features of all atoms, which layers in turn read and write; rows are in the order of the grid.
  Workspace::Array<T> scalars_[2]{memory_, memory_};    // (n, width)
  Workspace::Array<T> vectors_[2]{memory_, memory_};    // (n, 3, width)
  Workspace::Array<double> answers_{memory_};           // (n, 3)
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
    throw Error("time is " + number(time) + " and the step " + number(step) + ": give numbers from 0 to 1");
}

// Rows follow the grid, so that neighbours stand near each other in memory.
template <typename T> void NativeFlowNetwork<T>::sort_atoms(std::size_t n)
{
  const auto nodes = static_cast<std::size_t>(c_.n_nodes);
  places_.reserve(n);
  rows_.reserve(n);
  owners_.reserve(nodes + BLOCK);
  int row = 0;
  for (std::size_t place = 0; place < nodes; ++place) {
    const int node = grid_.ids()[place];
    if (node >= c_.n_owned) continue;
    places_[static_cast<std::size_t>(row)] = static_cast<int>(place);
    rows_[static_cast<std::size_t>(node)] = row++;
  }
  for (std::size_t place = 0; place < nodes; ++place)
    owners_[place] = rows_[static_cast<std::size_t>(system_.owners()[grid_.ids()[place]])];
}

// The moments of one atom.
template <typename T>
void NativeFlowNetwork<T>::sum(FlowNetworkWorkspace<T> &workspace, std::size_t index, std::size_t row, T *moments,
                               T *carried)
{
  CellRange ranges[MAX_RANGES];
  NeighbourQuery query{};
  query.ids = owners_.data();
  const FoundNeighbours<T> found = workspace.neighbours(grid_.query(places_[row], tables_.cutoff, ranges, query));
  const int n = kernels_.find(query, tables_.cutoff * tables_.cutoff, found);

  const std::size_t from = index % 2;
  const MomentSums<T> sums{tables_.width,
                           tables_.layers[index].filters.data(),
                           scalars_[from].data(),
                           index ? vectors_[from].data() : nullptr,
                           moments,
                           carried};
  for (int first = 0; first < n; first += BLOCK) {
    kernels_.measure(spline_grid_, found, first, std::min(BLOCK, n - first), &workspace.edges);
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
  const std::size_t from = index % 2, to = (index + 1) % 2;
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
  m.s = scalars_[from].data() + w * first;
  m.v = vectors_[from].data() + 3 * w * first;
  m.moments = workspace.moments.data();
  m.carried = workspace.carried.data();
  m.new_s = last ? workspace.s.data() : scalars_[to].data() + w * first;
  m.new_v = last ? workspace.v.data() : vectors_[to].data() + 3 * w * first;
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
  const std::int64_t n_batches = (c_.n_owned + BATCH - 1) / BATCH;
  this->share(n_batches, [&](std::size_t number, std::int64_t first, std::int64_t last) {
    for (std::int64_t batch = first; batch < last; ++batch) {
      const std::int64_t row = batch * BATCH;
      mix(workspaces_[number], index, static_cast<std::size_t>(row),
          static_cast<int>(std::min<std::int64_t>(BATCH, c_.n_owned - row)));
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
  this->sort_nodes(system_.configuration(), tables_.cutoff);
  sort_atoms(n);
  const std::vector<double> modulation = model_.modulation(time, step, properties, known);
  modulation_.assign(modulation.begin(), modulation.end());

  const auto w = static_cast<std::size_t>(tables_.width);
  const std::size_t sets = tables_.layers.size() > 1 ? 2 : 1;    // the last layer's features are not kept
  for (std::size_t k = 0; k < sets; ++k) {
    scalars_[k].reserve(n * w);
    vectors_[k].reserve(3 * n * w);
  }
  answers_.reserve(3 * n);
  for (std::size_t i = 0; i < n; ++i)
    std::copy_n(tables_.embedding.data() + static_cast<std::size_t>(types[i]) * w, w,
                scalars_[0].data() + static_cast<std::size_t>(rows_[i]) * w);
  for (std::size_t index = 0; index < tables_.layers.size(); ++index) run_layer(index);
  write(out);
}

template <typename T> std::size_t NativeFlowNetwork<T>::bytes() const
{
  std::size_t sum = this->base_bytes() + tables_.bytes() + system_.bytes();
  for (const FlowNetworkWorkspace<T> &workspace : workspaces_) sum += workspace.bytes() + sizeof(workspace.edges);
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
