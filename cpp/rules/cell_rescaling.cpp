// SPDX-License-Identifier: BSD-3-Clause
#include "rules/cell_rescaling.h"

#include "base/counter_rng.h"
#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

constexpr int ROW[6] = {0, 1, 2, 0, 0, 1}, COLUMN[6] = {0, 1, 2, 1, 2, 2};    // of the components of a Symmetric
constexpr double STIFF_METAL_BAR = 1.0e6;        // 100 GPa: of copper 140, of liquid Cu-Zr 90, of silica 40
constexpr double STIFF_LENNARD_JONES = 100.0;    // epsilon / sigma^3, at the triple point 20, at 1.2 / sigma^3 about 90

Matrix3 product(const Matrix3 &a, const Matrix3 &b)
{
  Matrix3 result{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) result[i][j] += a[i][k] * b[k][j];
  return result;
}

Matrix3 full(const Symmetric &tensor)
{
  Matrix3 result{};
  for (int c = 0; c < 6; ++c) result[ROW[c]][COLUMN[c]] = result[COLUMN[c]][ROW[c]] = tensor[c];
  return result;
}

/// exp(sign M) of a small symmetric M, whose series ends below rounding.
Matrix3 exponential(const Symmetric &strain, double sign)
{
  Matrix3 m = full(strain), term{}, sum{};
  for (int k = 0; k < 3; ++k) term[k][k] = sum[k][k] = 1.0;
  for (int n = 1; n < 20; ++n) {
    term = product(term, m);
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        term[i][j] *= sign / n;
        sum[i][j] += term[i][j];
      }
  }
  return sum;
}

/// A cell turned so that it is lower triangular, as LAMMPS wants it, with positive diagonal.
Matrix3 lower_triangular(const Matrix3 &cell)
{
  Matrix3 turned{};
  const double ax = std::sqrt(dot(cell[0], cell[0]));
  const double bx = dot(cell[1], cell[0]) / ax;
  const double by = std::sqrt(dot(cell[1], cell[1]) - bx * bx);
  const double cx = dot(cell[2], cell[0]) / ax;
  const double cy = (dot(cell[2], cell[1]) - bx * cx) / by;
  turned[0][0] = ax;
  turned[1][0] = bx;
  turned[1][1] = by;
  turned[2][0] = cx;
  turned[2][1] = cy;
  turned[2][2] = std::fabs(signed_volume(cell)) / (ax * by);
  return turned;
}

/// b such that a b is the second cell.
Matrix3 quotient(const Matrix3 &second, const Matrix3 &a)
{
  const Matrix3 rows = reciprocal_cell(a);    // row d times r is the fraction d: the columns of the inverse
  Matrix3 inverse{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) inverse[i][j] = rows[j][i];
  return product(inverse, second);
}

double trace(const Symmetric &tensor)
{ return tensor[0] + tensor[1] + tensor[2]; }

}    // namespace

CellRescaling::CellRescaling(BoxShape shape, double damp, double modulus) :
    shape_(shape), damp_(damp), modulus_(modulus)
{
  if (!(damp > 0.0 && std::isfinite(damp))) throw Error("the damping time is " + number(damp) + ": give one above 0");
  if (!(modulus > 0.0 && std::isfinite(modulus)))
    throw Error("the modulus is " + number(modulus) + ": give one above 0, in units of pressure");
}

CellChange CellRescaling::change(const Matrix3 &cell, const Symmetric &pressure, double target, double kT, double time,
                                 const Symmetric &noise) const
{
  const double volume = std::fabs(signed_volume(cell));
  const double mean = trace(pressure) / 3.0;
  const double rate = time / (damp_ * modulus_);    // per unit of pressure
  const double of_mean = shape_ == BoxShape::ISO ? noise[0] : (noise[0] + noise[1] + noise[2]) / std::sqrt(3.0);
  const double root =
      1.0 + 0.5 * rate * (mean - target + 0.5 * kT / volume) + std::sqrt(0.5 * rate * kT / volume) * of_mean;
  const double growth = root > 0.0 ? 2.0 * std::log(root) : -HUGE_VAL;    // of the volume, logarithmic

  Symmetric strain{};
  for (int k = 0; k < 3; ++k) strain[k] = growth / 3.0;
  if (shape_ != BoxShape::ISO) {
    const double size = std::sqrt(2.0 * rate * kT / (3.0 * volume)), mean_noise = of_mean / std::sqrt(3.0);
    for (int k = 0; k < 3; ++k) strain[k] += rate / 3.0 * (pressure[k] - mean) + size * (noise[k] - mean_noise);
    if (shape_ == BoxShape::TRI)
      for (int c = 3; c < 6; ++c) strain[c] = rate / 3.0 * pressure[c] + size * std::sqrt(0.5) * noise[c];
  }
  for (const double one : strain)
    if (!(std::fabs(one) <= LARGEST_STRAIN))
      throw Error("the internal pressure is " + number(mean) + ", the target " + number(target) +
                  ": the box would change by a strain of " + number(one, 2) +
                  " at once: use a longer damping time or a larger modulus, or start nearer to the target");

  CellChange result;
  result.strain = strain;
  result.positions = exponential(strain, 1.0);
  result.velocities = exponential(strain, -1.0);
  result.cell = product(cell, result.positions);
  if (shape_ != BoxShape::TRI) return result;
  const Matrix3 turned = lower_triangular(result.cell);
  const Matrix3 rotation = quotient(turned, result.cell);
  result.cell = turned;
  result.positions = product(result.positions, rotation);
  result.velocities = product(result.velocities, rotation);
  return result;
}

Symmetric box_noise(std::uint64_t step, std::uint64_t every, std::uint32_t seed)
{
  Symmetric sum{};
  for (const std::uint64_t when : {step, step - every})
    for (std::uint64_t part = 0; part < 2; ++part) {
      const auto numbers = normal3(part, when, seed, Stream::BOX);
      for (std::size_t k = 0; k < 3; ++k) sum[3 * part + k] += 0.5 * numbers[k];
    }
  return sum;
}

double energy_of_change(const CellChange &change, const Symmetric &kinetic, const Symmetric &virial)
{
  // tr(G^T K G), where G stands behind the velocities
  const Matrix3 half = product(full(kinetic), change.velocities);
  double after = 0.0;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) after += change.velocities[i][j] * half[i][j];
  double energy = 0.5 * (after - trace(kinetic));
  for (int c = 0; c < 6; ++c) energy -= (c < 3 ? 1.0 : 2.0) * virial[c] * change.strain[c];
  return energy;
}

double default_modulus(const std::string &units)
{ return units == "lj" ? STIFF_LENNARD_JONES : STIFF_METAL_BAR; }

std::string refuse_density(double density, double low, double high)
{
  if (!(high > 0.0)) return "";
  if (density >= (1.0 - DENSITY_MARGIN) * low && density <= (1.0 + DENSITY_MARGIN) * high) return "";
  return "the number density is " + number(density) + ", far outside the " + number(low) + " to " + number(high) +
         " that the model was trained on";
}

}    // namespace vitrify
