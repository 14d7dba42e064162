// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/ogn_tables.h"

#include "base/error.h"
#include "modelfile/tables.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace vitrify {

namespace {

int groups_of(int count)
{ return rounded_up(count, LANES) / LANES; }

void limit(int value, int most, const char *name)
{
  if (value > most)
    throw Error("the model has " + std::to_string(value) + " " + name + ", the native engine takes up to " +
                std::to_string(most) + ": use engine torch");
}

// Coefficients, from the third power of s = 1 - t down, of the cubic B-spline with weights w[0 ... 3] on one interval.
// In s, because the spline ends with s^3: rounding leaves nothing beyond its end.
void cubic_in_s(const double w[4], double c[4])
{
  c[0] = (w[0] - 3.0 * w[1] + 3.0 * w[2] - w[3]) / 6.0;
  c[1] = (w[1] - 2.0 * w[2] + w[3]) / 2.0;
  c[2] = (w[1] - w[3]) / 2.0;
  c[3] = (w[1] + 4.0 * w[2] + w[3]) / 6.0;
}

}    // namespace

// The sum of magnitudes of forces on an atom of a melt, without gates: an integral over evenly spread neighbours, none
// of them at the distances of the first splines, which hardly any pair of a melt has.
template <typename T> double OGNTables<T>::usual_force(const OGNModel &model, const PairStage &stage) const
{
  constexpr double SPHERE = 12.5663706143591730;    // 4 pi
  const double spacing = (stage.cutoff - model.reach - model.core) / model.basis;
  double sum = 0.0;
  for (int spline = model.basis / 8; spline < model.basis; ++spline) {
    double largest = 0.0;
    for (int kind = 0; kind < model.n_pairs; ++kind)
      for (int c = 0; c < channels; ++c) {
        const std::size_t row = static_cast<std::size_t>(kind) * model.basis + spline;
        largest = std::max(largest, std::fabs(stage.splines[row * model.n_filters() + c]));
      }
    const double distance = model.core + (spline - 1) * spacing;
    sum += SPHERE * model.density * distance * distance * spacing * largest;
  }
  return sum;
}

template <typename T>
OGNTables<T>::OGNTables(const OGNModel &model) :
    channels(model.channels), scalars(model.scalars), moments(model.moments), n_species(model.n_species),
    density_groups(groups_of(model.channels + model.scalars)), cutoff(model.cutoff), inner(model.cutoff),
    timestep(model.timestep)
{
  check(model);
  embedding = converted<T>(model.embedding);
  // The rows of moments stand on multiples of four values.
  moment_offset = (channels + 3) / 4 * 4;
  whole_forces = sizeof(T) == sizeof(float) && !moments && channels <= WHOLE_CHANNELS &&
                 groups_of(model.n_filters()) <= WHOLE_GROUPS;
  feature_width = moments ? moment_offset + MOMENT_ROW : channels;
  for (const PairStage &stage : model.stages) inner = std::min(inner, stage.cutoff);
  passes.resize(model.stages.size());
  updates.resize(model.stages.size());
  for (int index = 0; index < model.n_stages(); ++index) {
    stages.emplace_back(*this);
    fill_stage(model, index);
    describe_stage(model, index);
  }
}

template <typename T> void OGNTables<T>::check(const OGNModel &model) const
{
  constexpr int MOST = 1 << 29;    // kernels count intervals, of 32 or more coefficients, in float32
  const double size = 4.0 * LANES * groups_of(model.n_filters()) * model.basis * model.n_pairs;
  limit(size < MOST ? 0 : MOST, MOST - 1, "or more spline coefficients");
  limit(model.channels, MAX_CHANNELS, "channels");
  limit(groups_of(model.n_filters()), MAX_GROUPS, "groups of 8 filters");
  limit(std::max({model.n_inputs(), model.hidden, model.scalars}), MAX_WIDTH, "values in a layer of its networks");
}

template <typename T> void OGNTables<T>::fill_stage(const OGNModel &model, int index)
{
  const PairStage &from = model.stages[index];
  Stage &to = stages[index];
  to.time = from.time;
  to.input = converted<T>(from.input);
  to.input_bias = converted<T>(from.input_bias);
  to.output = converted<T>(from.output);
  to.output_bias = converted<T>(from.output_bias);
  to.gates = converted<T>(from.gates);

  const int n_filters = model.n_filters(), width = LANES * groups_of(n_filters), basis = model.basis;
  const std::size_t size = static_cast<std::size_t>(model.n_pairs) * basis * 4 * width;
  to.polynomials.fill(size, T(0));
  for (int kind = 0; kind < model.n_pairs; ++kind)
    for (int interval = 0; interval < basis; ++interval)
      for (int filter = 0; filter < n_filters; ++filter) {
        double w[4], c[4];
        for (int k = 0; k < 4; ++k) {
          const int row = interval + k;
          w[k] = row < basis ? from.splines[(static_cast<std::size_t>(kind) * basis + row) * n_filters + filter] : 0.0;
        }
        cubic_in_s(w, c);
        T *row = to.polynomials.data() + (static_cast<std::size_t>(kind) * basis + interval) * 4 * width;
        for (int power = 0; power < 4; ++power) row[power * width + filter] = static_cast<T>(c[power]);
      }

  constexpr double ROOM = 8.0;    // for gates and for atoms that have more neighbours than others
  const double most = ROOM * usual_force(model, from);
  to.force_scale = whole_forces && most > 0.0 ? std::exp2(std::floor(std::log2(MAX_WHOLE_FORCE / most))) : 1.0;

  // Stage `index` adds its forces to the displacements of all later stages, and to the changes over the stride.
  const int s = model.n_stages();
  std::vector<double> slot_weights;
  for (int species = 0; species < n_species; ++species) {
    const double scale = model.step_scale[species];
    for (int slot = 0; slot < s + 1; ++slot)
      for (int c = 0; c < channels; ++c) {
        double weight;
        if (slot < s - 1)
          weight = timestep * model.stages[slot + 1].displacements[(species * s + index) * channels + c];
        else if (slot == s - 1)
          weight = timestep * model.end_dr[index * channels + c];
        else
          weight = model.end_dv[index * channels + c];
        slot_weights.push_back(scale * weight);
      }
  }
  to.slot_weights = slot_weights;
  std::vector<T> recall;
  for (int later = 1; later < s; ++later) recall.push_back(static_cast<T>(model.stages[later].recall[index]));
  to.recall = recall;
}

template <typename T> void OGNTables<T>::describe_stage(const OGNModel &model, int index)
{
  const Stage &stage = stages[index];
  const double stage_cutoff = model.stages[index].cutoff, stop = stage_cutoff - model.reach;
  PairPass<T> pass{};
  pass.channels = channels;
  pass.groups = groups_of(model.n_filters());
  pass.density_groups = density_groups;
  pass.moments = moments;
  pass.polynomials = stage.polynomials.data();
  pass.start = static_cast<T>(model.core);
  pass.inverse_spacing = static_cast<T>(model.basis / (stop - model.core));
  pass.intervals = static_cast<T>(model.basis);
  pass.onset = static_cast<T>(stop);
  pass.inverse_width = static_cast<T>(1.0 / (stage_cutoff - stop));
  pass.inner_only = stage_cutoff <= inner;
  pass.angular = channels + scalars;
  pass.feature_width = feature_width;
  pass.moment_offset = moment_offset;
  pass.force_scale = T(1);
  passes[index] = pass;

  NodeUpdate<T> update{};
  update.channels = channels;
  update.scalars = scalars;
  update.hidden = model.hidden;
  update.inputs = model.n_inputs();
  update.moments = moments;
  update.density_width = density_width();
  update.stage = index;
  update.stages = model.n_stages();
  update.input = stage.input.data();
  update.input_bias = stage.input_bias.data();
  update.output = stage.output.data();
  update.output_bias = stage.output_bias.data();
  update.gates = stage.gates.data();
  update.slot_weights = stage.slot_weights.data();
  update.recall = stage.recall.data();
  update.feature_width = feature_width;
  update.moment_offset = moment_offset;
  updates[index] = update;
}

template struct OGNTables<float>;
template struct OGNTables<double>;

}    // namespace vitrify
