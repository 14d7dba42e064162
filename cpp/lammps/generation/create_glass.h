/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   create_glass MODEL keyword value ...

   Fills a periodic box with the atoms of a glass, made by a generator of kind amshortcut or glassvae.

   number N              atoms in the whole box; or
   density R             g/cm^3 in metal units, atoms per sigma^3 in lj units; default: the model's, given targets or z
   elements El1 El2 ...  one for each atom type, NULL for types that are not created; needed for more than one type
   target NAME VALUE     kind amshortcut: a property of the glass in the model's unit; repeatable
   energy LOW HIGH       kind glassvae: energies at rest for each atom, between which a structure's z is drawn;
                         default: any, as in its data
   composition c1 c2 ... shares in the order of elements; default: the model's, given targets or z
   steps K               of the sampler; default 5
   seed S                default 1
   churn C               share of the noise that is put back before each step but the first; default 0
   region ID             atoms outside of it are not created; with density
   occupied no|yes       whether the box may hold atoms, which the generator does not see; default no
   check yes|no          replay the reference case of the model file; default no
------------------------------------------------------------------------- */

#ifndef LMP_CREATE_GLASS_H
#define LMP_CREATE_GLASS_H

#include "command.h"

#include "generation/generator.h"
#include "lammps/host/model_host.h"

#include <string>
#include <utility>
#include <vector>

namespace LAMMPS_NS {

class CreateGlass : public Command {
public:
  CreateGlass(class LAMMPS *);
  void command(int, char **) override;

private:
  ModelHost host;    // for errors that all ranks agree on

  // the arguments of the command

  std::string model_name;
  bigint number;     // of atoms in the whole box; 0: not given
  double density;    // g/cm^3 in metal units, atoms per sigma^3 in lj units; 0: not given
  uint32_t seed;
  int steps;
  double churn;
  std::vector<std::string> elements;
  std::vector<std::pair<std::string, double>> targets;
  std::vector<double> energies;    // lowest and highest energy at rest for each atom; empty: not given
  std::vector<double> composition;
  class Region *region;
  bool occupied, check;

  // atoms to create, on all ranks

  std::vector<double> positions;
  std::vector<int> types;

  void read_arguments(int, char **);
  int read_keyword(int, int, char **);
  int read_list(int, int, char **);
  void check_box();

  // on rank 0, where exceptions become messages

  void generate();
  void check_units(const vitrify::Metadata &) const;
  std::vector<int> types_of_species(const vitrify::Metadata &) const;
  std::string set_targets(const vitrify::Metadata &, vitrify::GlassRequest &) const;
  std::string set_latent(const vitrify::Generator &, vitrify::GlassRequest &) const;
  void set_counts(const vitrify::Generator &, const std::vector<int> &, vitrify::GlassRequest &) const;
  std::vector<double> fractions_of_species(const vitrify::Metadata &, const std::vector<int> &) const;
  void check_reference(vitrify::Generator &, const std::string &) const;
  void report(const vitrify::Metadata &, const vitrify::GlassRequest &, const vitrify::Glass &, const std::string &,
              double) const;
  void report_closest(const vitrify::Metadata &, const vitrify::Glass &) const;

  void share();
  void keep_region();
  void create();
};

}    // namespace LAMMPS_NS

#endif
