/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_restart.h"

#include "fmt/format.h"

#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;

static constexpr double FORMAT = 3.0;
static constexpr double FORMAT_WITHOUT_BAROSTAT = 2.0;
static constexpr double LAST_FORMAT = 1.0e6;       // a larger number is no format number
static constexpr double LARGEST_COUNT = 1.0e15;    // doubles hold all whole numbers up to here

static bool is_count(double value, double largest)
{ return value >= 0.0 && value <= largest && value == std::floor(value); }

/* ---------------------------------------------------------------------- */

void OGNRestart::write(FILE *fp) const
{
  const double doubles[] = {FORMAT,
                            has_target ? 1.0 : 0.0,
                            target_energy,
                            work,
                            static_cast<double>(npredictions),
                            static_cast<double>(nfallbacks),
                            static_cast<double>(nchanges),
                            energy_of_box};
  const int size = sizeof(doubles);
  fwrite(&size, sizeof(int), 1, fp);
  fwrite(doubles, size, 1, fp);
}

/* ----------------------------------------------------------------------
   LAMMPS does not tell how long the buffer is, so that the format number must
------------------------------------------------------------------------- */

std::string OGNRestart::unpack(const char *buffer)
{
  double first;
  memcpy(&first, buffer, sizeof(first));
  if (!is_count(first, LAST_FORMAT)) return fmt::format("they are damaged: {} is no format", first);
  if (first > FORMAT)
    return fmt::format("they are of format {}, but this version reads formats up to {}: use the version of vitrify "
                       "that wrote the file",
                       first, FORMAT);

  double state[7] = {};
  const char *const begin = first >= FORMAT_WITHOUT_BAROSTAT ? buffer + sizeof(first) : buffer;
  memcpy(state, begin, (first == FORMAT ? 7 : 5) * sizeof(double));
  if (!is_count(state[0], 1.0) || !std::isfinite(state[1]) || !std::isfinite(state[2]) ||
      !is_count(state[3], LARGEST_COUNT) || !is_count(state[4], LARGEST_COUNT) || !is_count(state[5], LARGEST_COUNT) ||
      !std::isfinite(state[6]))
    return fmt::format("they are damaged: target {} {}, work {}, {} predictions, {} fallbacks, {} changes of the box "
                       "and their energy {} make no sense",
                       state[0], state[1], state[2], state[3], state[4], state[5], state[6]);
  has_target = state[0] == 1.0;
  target_energy = state[1];
  work = state[2];
  npredictions = static_cast<bigint>(state[3]);
  nfallbacks = static_cast<bigint>(state[4]);
  nchanges = static_cast<bigint>(state[5]);
  energy_of_box = state[6];
  return "";
}
