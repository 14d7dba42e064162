/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   The keywords of fix ogn that other styles do not have:
   [energy none|rescale] [langevin T damp seed] [guard yes|no [fallback M]] [pair auto|every] [validate N [tolerance]]
   [iso|aniso|tri Pstart Pstop Pdamp [temp Tstart Tstop] [seed N] [modulus B] [every N] [pressure pair]]
------------------------------------------------------------------------- */

#ifndef VITRIFY_OGN_SETTINGS_H
#define VITRIFY_OGN_SETTINGS_H

#include "pointers.h"

#include "rules/cell_rescaling.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace LAMMPS_NS {

struct BarostatSettings {
  vitrify::BoxShape shape = vitrify::BoxShape::ISO;
  std::string keyword;                          // iso, aniso or tri
  double pressure[2] = {0.0, 0.0};              // at the beginning and the end of a run, in pressure units
  double damp = 0.0;                            // in time units
  std::optional<std::array<double, 2>> bath;    // temperatures at the beginning and the end of a run
  std::optional<uint32_t> seed;
  double modulus = 0.0;    // inverse compressibility, in pressure units; 0: of the model's units
  int every = 1;           // strides between two changes of the box
};

class OGNSettings : protected Pointers {
public:
  explicit OGNSettings(LAMMPS *lmp) : Pointers(lmp) {}

  static const std::vector<std::string> KEYWORDS;

  bool rescale = false;        // hold the total energy
  bool langevin = false;       // couple all atoms to a heat bath
  double temperature = 0.0;    // of the heat bath, in temperature units
  double damp = 0.0;           // damping time of the heat bath, in time units
  uint32_t seed = 0;           // of the heat bath
  bool guard = true;           // refuse strides far outside of the training data
  int fallback_steps = 0;      // steps of velocity Verlet in place of a refused stride; 0: a refusal is an error
  bool pair_every = false;     // compute the pair style in each stride, whether something reads it or not
  int validate_every = 0;      // take each such stride in MD, too, and compare; 0: none
  double tolerance = 0.0;      // stop where the error is so many times that of the training data; 0: warn

  std::optional<BarostatSettings> barostat;

  // of the barostat: the given ones, or those of the heat bath

  std::array<double, 2> bath_temperatures() const;
  uint32_t barostat_seed() const { return barostat->seed.value_or(langevin ? seed : DEFAULT_SEED); }

  // read the keyword arg[iarg] with its values; return the number of words

  int read_keyword(int iarg, int narg, char **arg);

  // stop if keywords contradict each other

  void check() const;

private:
  static constexpr uint32_t DEFAULT_SEED = 1;

  int read_barostat(int, int, char **);
  void read_barostat_option(const std::string &, char **);
  int read_energy(int, char **);
  int read_guard(int, int, char **);
  int read_pair(int, char **);
  int read_validate(int, int, char **);
  int read_langevin(int, char **);
};

}    // namespace LAMMPS_NS

#endif
