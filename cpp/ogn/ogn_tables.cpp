// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/ogn_tables.h"

#include "base/error.h"
#include "modelfile/tables.h"
#include "neighbours/images.h"

#include <algorithm>
#include <cmath>
#include <limits>
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

// The largest power of two by which `most` can be multiplied in whole numbers.
double whole_scale(double most)
{
  constexpr double FINEST = 100.0;    // so that units are numbers of single precision
  return most > 0.0 ? std::exp2(std::min(std::floor(std::log2(MAX_WHOLE / most)), FINEST)) : 1.0;
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
  has_stress = model.has_stress;
  whole = sizeof(T) == sizeof(float) && !moments && channels <= WHOLE_CHANNELS &&
          groups_of(model.n_filters()) <= WHOLE_GROUPS;
  constexpr double ROOM = 8.0, FEWEST = 128.0, MOST = 65536.0;    // room: for what is denser than a melt
  most_neighbours = whole ? static_cast<int>(std::clamp(ROOM * even_neighbours(model.density, cutoff), FEWEST, MOST))
                          : std::numeric_limits<int>::max();
  feature_width = moments ? moment_offset + MOMENT_ROW : channels;
  for (const PairStage &stage : model.stages) inner = std::min(inner, stage.cutoff);
  passes.resize(model.stages.size());
  updates.resize(model.stages.size());
  for (int index = 0; index < model.n_stages(); ++index) {
    stages.emplace_back(*this);
    choose_scales(model, index);
    fill_stage(model, index);
    if (has_stress) fill_stress(model, index);
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

// Scales of sums in whole numbers, powers of two, which change no bit of what is multiplied by them. Those of densities
// and magnitudes hold for every atom of up to most_neighbours. A force is needed to more digits: its scale is for a
// melt with room to spare, and the magnitudes say where that is not enough.
template <typename T> void OGNTables<T>::choose_scales(const OGNModel &model, int index)
{
  Stage &stage = stages[index];
  stage.density_units.assign(static_cast<std::size_t>(density_width()), T(1));
  if (!whole) return;
  const int n_filters = model.n_filters();
  std::vector<double> largest(static_cast<std::size_t>(n_filters), 0.0);    // which no spline exceeds
  const std::vector<double> &splines = model.stages[index].splines;
  for (std::size_t k = 0; k < splines.size(); ++k)
    largest[k % n_filters] = std::max(largest[k % n_filters], std::fabs(splines[k]));
  for (int filter = channels; filter < n_filters; ++filter)
    stage.density_units[filter] = static_cast<T>(1.0 / whole_scale(most_neighbours * largest[filter]));
  const double force = *std::max_element(largest.begin(), largest.begin() + channels);
  stage.magnitude_scale = whole_scale(most_neighbours * force);

  constexpr double ROOM = 8.0;    // for gates and for atoms that have more neighbours than others
  const double usual = ROOM * usual_force(model, model.stages[index]);
  constexpr double FINEST = 16777216.0;    // for models whose splines of usual distances are as good as none
  stage.force_scale = std::min(usual > 0.0 ? whole_scale(usual) : HUGE_VAL, FINEST * stage.magnitude_scale);
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
        const double scale = !whole ? 1.0 : filter < channels ? to.magnitude_scale : 1.0 / to.density_units[filter];
        for (int power = 0; power < 4; ++power) row[power * width + filter] = static_cast<T>(scale * c[power]);
      }

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

// Weights of the stress, over what the polynomials of their filters are multiplied by.
template <typename T> void OGNTables<T>::fill_stress(const OGNModel &model, int index)
{
  const std::vector<double> &from = model.stages[index].stress;
  const int rows = model.n_stress_rows(), central = channels + scalars, width = LANES * groups_of(model.n_filters());
  Stage &to = stages[index];
  to.stress.fill(static_cast<std::size_t>(model.n_pairs) * (1 + channels) * width, T(0));
  for (int kind = 0; kind < model.n_pairs; ++kind)
    for (int row = 0; row < rows; ++row)
      for (int c = 0; c < 1 + channels; ++c) {
        // The filters of vectors and tensors themselves, which stand after the central ones, have no weights.
        const int filter = row < central ? row : row + 2;
        const double unit = !whole ? 1.0 : filter < channels ? 1.0 / to.magnitude_scale : to.density_units[filter];
        const double weight = from[(static_cast<std::size_t>(kind) * rows + row) * (1 + channels) + c];
        to.stress.data()[(static_cast<std::size_t>(kind) * (1 + channels) + c) * width + filter] =
            static_cast<T>(unit * weight);
      }
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
  pass.vector_scale = static_cast<T>(stage.force_scale / stage.magnitude_scale);
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
  update.force_unit = 1.0 / stage.force_scale;
  update.density_units = stage.density_units.data();
  update.feature_width = feature_width;
  update.moment_offset = moment_offset;
  updates[index] = update;
}

template struct OGNTables<float>;
template struct OGNTables<double>;

}    // namespace vitrify
