/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/generation/create_glass.h"

#include "generation/gates.h"

#include "base/error.h"
#include "base/suggestion.h"
#include "engines/engine.h"
#include "lammps/host/engine_loader.h"
#include "rules/elements.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "library.h"
#include "platform.h"
#include "region.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

CreateGlass::CreateGlass(LAMMPS *lmp) :
    Command(lmp), host(lmp, "create_glass", "amshortcut"), number(0), density(0.0), seed(1), steps(5), churn(0.0),
    region(nullptr), occupied(false), check(false)
{
}

/* ---------------------------------------------------------------------- */

void CreateGlass::command(int narg, char **arg)
{
  if (narg < 1) utils::missing_cmd_args(FLERR, "create_glass", error);
  if (!domain->box_exist)
    error->all(FLERR, "create_glass: used before simulation box is defined: use create_box or read_data first");
  read_arguments(narg, arg);
  check_box();

  std::string message;
  if (comm->me == 0) ModelHost::attempt(message, [this] { generate(); });
  host.fail_if(message);

  share();
  if (region) keep_region();
  create();
}

/* ----------------------------------------------------------------------
   generates atoms for the box as a cell whose corner is the origin
------------------------------------------------------------------------- */

void CreateGlass::generate()
{
  const vitrify::ModelFile file(vitrify::find_model(model_name, vitrify::shipped_model_folders()));
  vitrify::Generator generator(file);
  const vitrify::Metadata &model = generator.metadata();
  check_units(model);
  const std::vector<int> types_by_species = types_of_species(model);

  vitrify::GlassRequest request;
  request.cell = {{{domain->xprd, 0.0, 0.0}, {domain->xy, domain->yprd, 0.0}, {domain->xz, domain->yz, domain->zprd}}};
  request.steps = steps;
  request.seed = seed;
  request.churn = churn;
  const std::string request_words = generator.latents() ? set_latent(generator, request) : set_targets(model, request);
  set_counts(generator, types_by_species, request);
  if (check) check_reference(generator, file.path());

  const double start = platform::walltime();
  const vitrify::Glass glass = generator.generate(request);
  for (const auto &warning : generator.warnings(request)) error->warning(FLERR, "create_glass: " + warning);
  if (!energies.empty())
    error->warning(FLERR, fmt::format("create_glass: {}; `vitrify generate --anneal` cools until it is reached",
                                      vitrify::ENERGY_NOT_MEASURED));
  report(model, request, glass, request_words, platform::walltime() - start);

  positions = glass.structure.positions;
  for (std::size_t i = 0; i < positions.size(); i++) positions[i] += domain->boxlo[i % 3];
  types.clear();
  for (const int species : glass.structure.types) types.push_back(types_by_species[species]);
}

/* ---------------------------------------------------------------------- */

void CreateGlass::check_units(const vitrify::Metadata &model) const
{
  if (model.units != update->unit_style)
    throw vitrify::Error(fmt::format("the model is in {} units, but the input uses units {}: use units {}", model.units,
                                     update->unit_style, model.units));
}

/* ----------------------------------------------------------------------
   LAMMPS type of each species of the model, 0 for those without one
------------------------------------------------------------------------- */

std::vector<int> CreateGlass::types_of_species(const vitrify::Metadata &model) const
{
  const std::string known = vitrify::joined(model.species);
  if (elements.empty() && (atom->ntypes > 1 || model.species.size() > 1))
    throw vitrify::Error(
        fmt::format("it is not said which element each of the {} atom types is: use elements, the model has {}",
                    atom->ntypes, known));
  std::vector<int> found(model.species.size(), 0);
  if (elements.empty()) found[0] = 1;
  for (std::size_t i = 0; i < elements.size(); i++) {
    if (elements[i] == vitrify::NULL_ELEMENT) continue;
    const int species = model.species_index(elements[i]);
    if (species < 0)
      throw vitrify::Error(vitrify::unknown_element(elements[i], fmt::format(" of type {}", i + 1), model.species));
    if (found[species])
      throw vitrify::Error(
          fmt::format("types {} and {} are both {}: use NULL for one of them", found[species], i + 1, elements[i]));
    found[species] = static_cast<int>(i) + 1;
  }
  if (std::all_of(found.begin(), found.end(), [](int type) { return type == 0; }))
    throw vitrify::Error(
        fmt::format("no atom type is mapped to an element, so that zero atoms would be created: the model has "
                    "{}",
                    known));
  return found;
}

/* ----------------------------------------------------------------------
   sets the target properties of a generator of kind amshortcut; returns them in words
------------------------------------------------------------------------- */

std::string CreateGlass::set_targets(const vitrify::Metadata &model, vitrify::GlassRequest &request) const
{
  if (!energies.empty())
    throw vitrify::Error(fmt::format(
        "model {} is of kind amshortcut, which knows no energy: use target, or a model of kind glassvae", model_name));
  const auto &properties = model.generator.properties;
  request.properties.assign(properties.size(), 0.0);
  request.known.assign(properties.size(), 0.0);
  std::vector<std::string> names;
  std::string words;
  for (const auto &property : properties) names.push_back(property.name);
  for (const auto &[name, value] : targets) {
    const int index = model.generator.property_index(name);
    if (index < 0)
      throw vitrify::Error(fmt::format("target {} is not a property of the model{}, which has {}", name,
                                       vitrify::did_you_mean(name, names),
                                       names.empty() ? "none" : vitrify::joined(names)));
    if (request.known[index] != 0.0)
      throw vitrify::Error(fmt::format("target {} is given twice: give one value", name));
    request.properties[index] = value;
    request.known[index] = 1.0;
    const std::string &unit = properties[index].unit;
    words += fmt::format("{}{} {:g}{}{}", words.empty() ? "" : ", ", name, value, unit.empty() ? "" : " ", unit);
  }
  return "targets: " + (words.empty() ? "none" : words);
}

/* ----------------------------------------------------------------------
   draws the latent vector that a generator of kind glassvae decodes; returns in words how it was drawn
------------------------------------------------------------------------- */

std::string CreateGlass::set_latent(const vitrify::Generator &generator, vitrify::GlassRequest &request) const
{
  if (!targets.empty())
    throw vitrify::Error(fmt::format(
        "model {} is of kind glassvae, which knows no target: use energy, or a model of kind amshortcut", model_name));
  const vitrify::LatentDensity &latents = *generator.latents();
  const vitrify::LatentDraw drawn =
      latents.draw(energies.empty() ? latents.window() : latents.window(energies[0], energies[1]), request.seed);
  request.properties = drawn.z;
  request.known.assign(drawn.z.size(), 1.0);
  return fmt::format("latent vector of {} {:.6g} for each atom, drawn from {}",
                     generator.metadata().generator.latent_energy, drawn.energy,
                     energies.empty() ? "all energies" : fmt::format("{:.6g} to {:.6g}", energies[0], energies[1]));
}

/* ---------------------------------------------------------------------- */

void CreateGlass::set_counts(const vitrify::Generator &generator, const std::vector<int> &types_by_species,
                             vitrify::GlassRequest &request) const
{
  const vitrify::Composition &rules = generator.composition();
  const vitrify::Metadata &model = generator.metadata();
  const std::vector<double> given = fractions_of_species(model, types_by_species);
  const std::vector<double> fractions = given.empty() ? rules.fractions(request.properties, request.known) : given;
  if (number) {
    request.counts = rules.counts(number, fractions);
  } else {
    double wanted = density;
    if (density > 0.0 && model.units != "lj") {
      const double mass = std::inner_product(fractions.begin(), fractions.end(), model.masses.begin(), 0.0);
      wanted = density / (force->mv2d * mass);
    } else if (!(density > 0.0)) {
      wanted = rules.density(request.properties, request.known, given);
    }
    request.counts = rules.nearest_counts(wanted * domain->xprd * domain->yprd * domain->zprd, fractions);
  }
  for (std::size_t s = 0; s < request.counts.size(); s++)
    if (request.counts[s] > 0 && types_by_species[s] == 0)
      throw vitrify::Error(
          fmt::format("the glass would have {} atoms of {}, but no atom type is {}: add it to elements, or use "
                      "composition",
                      request.counts[s], model.species[s], model.species[s]));
}

/* ----------------------------------------------------------------------
   the shares of the command, for the species of the model; empty if there are none
------------------------------------------------------------------------- */

std::vector<double> CreateGlass::fractions_of_species(const vitrify::Metadata &model,
                                                      const std::vector<int> &types_by_species) const
{
  if (composition.empty()) return {};
  for (std::size_t i = 0; i < elements.size(); i++)
    if (elements[i] == vitrify::NULL_ELEMENT && composition[i] != 0.0)
      throw vitrify::Error(fmt::format("composition gives type {} a share of {}, but its element is NULL: use 0", i + 1,
                                       composition[i]));
  std::vector<double> fractions(model.species.size(), 0.0);
  for (std::size_t s = 0; s < fractions.size(); s++)
    if (types_by_species[s]) fractions[s] = composition[types_by_species[s] - 1];
  return vitrify::Composition(model).checked_fractions(fractions);
}

/* ---------------------------------------------------------------------- */

void CreateGlass::check_reference(vitrify::Generator &generator, const std::string &path) const
{
  const vitrify::Deviation deviation = generator.reference_deviation();
  if (!deviation.is_allowed())
    throw vitrify::Error(
        fmt::format("model file {} does not reproduce its reference case: relative error {:.3g}, allowed "
                    "{:.3g}; export the model again, or see `vitrify doctor`",
                    path, deviation.error, deviation.allowed));
  utils::logmesg(lmp, "create_glass: reference case reproduced, relative error {:.3g}\n", deviation.error);
}

/* ---------------------------------------------------------------------- */

void CreateGlass::report(const vitrify::Metadata &model, const vitrify::GlassRequest &request,
                         const vitrify::Glass &glass, const std::string &request_words, double seconds) const
{
  const auto n = static_cast<double>(glass.structure.types.size());
  const double volume = domain->xprd * domain->yprd * domain->zprd;
  double mass = 0.0;
  std::string made;
  for (std::size_t s = 0; s < request.counts.size(); s++) {
    mass += static_cast<double>(request.counts[s]) * model.masses[s];
    made += fmt::format("{}{} {}", made.empty() ? "" : ", ", request.counts[s], model.species[s]);
  }
  const std::string of_mass = model.units == "lj" ? "" : fmt::format("{:.4g} g/cm^3, ", force->mv2d * mass / volume);
  utils::logmesg(lmp, "create_glass: model {}, variant {}, {}; {}\n", model_name, model.variant, model.dtype,
                 request_words);
  utils::logmesg(lmp, "create_glass: {} atoms ({}), density {}{:.5g} atoms per {}^3\n", glass.structure.types.size(),
                 made, of_mass, n / volume, model.units == "lj" ? "sigma" : "A");
  utils::logmesg(lmp, "create_glass: seed {}, {} steps, {:.3g} seconds\n", seed, steps, seconds);
  report_closest(model, glass);
}

/* ---------------------------------------------------------------------- */

void CreateGlass::report_closest(const vitrify::Metadata &model, const vitrify::Glass &glass) const
{
  const auto &limits = model.validity.min_distance;
  std::string text;
  for (int a = 0; a < static_cast<int>(model.species.size()); a++)
    for (int b = 0; b <= a; b++) {
      const std::size_t pair = vitrify::pair_of_species(a, b);
      if (!std::isfinite(glass.closest[pair])) continue;
      text += fmt::format("{}{}-{} {:.4g}", text.empty() ? "" : ", ", model.species[b], model.species[a],
                          glass.closest[pair]);
      if (!limits.empty()) text += fmt::format(" (training data: {:.4g})", limits[pair]);
    }
  utils::logmesg(lmp, "create_glass: closest pairs: {}; {} pairs were pushed apart\n", text.empty() ? "none" : text,
                 glass.pushed);
}

/* ----------------------------------------------------------------------
   rank 0 sends its atoms to all others
------------------------------------------------------------------------- */

void CreateGlass::share()
{
  bigint n = static_cast<bigint>(types.size());
  MPI_Bcast(&n, 1, MPI_LMP_BIGINT, 0, world);
  std::string message;
  ModelHost::attempt(message, [&] {
    positions.resize(3 * n);
    types.resize(n);
  });
  host.fail_if(message);

  // a message holds fewer values than an int counts

  constexpr bigint CHUNK = 100000000;
  for (bigint first = 0; first < n; first += CHUNK) {
    const int count = static_cast<int>(MIN(CHUNK, n - first));
    MPI_Bcast(&positions[3 * first], 3 * count, MPI_DOUBLE, 0, world);
    MPI_Bcast(&types[first], count, MPI_INT, 0, world);
  }
}

/* ---------------------------------------------------------------------- */

void CreateGlass::keep_region()
{
  region->init();
  region->prematch();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < types.size(); i++) {
    const double *x = &positions[3 * i];
    if (!region->match(x[0], x[1], x[2])) continue;
    std::copy(x, x + 3, &positions[3 * kept]);
    types[kept++] = types[i];
  }
  if (kept == 0)
    error->all(FLERR, fmt::format("create_glass: none of the {} atoms of the box lies in region {}, so that zero atoms "
                                  "would be created: use a larger region",
                                  types.size(), region->id));
  if (comm->me == 0)
    utils::logmesg(lmp, "create_glass: {} of {} atoms are in region {}\n", kept, types.size(), region->id);
  positions.resize(3 * kept);
  types.resize(kept);
}

/* ----------------------------------------------------------------------
   every rank creates the atoms that it owns
------------------------------------------------------------------------- */

void CreateGlass::create()
{
  tagint mine = 0, last = 0;
  for (int i = 0; i < atom->nlocal; i++) mine = MAX(mine, atom->tag[i]);
  MPI_Allreduce(&mine, &last, 1, MPI_LMP_TAGINT, MPI_MAX, world);
  if (static_cast<bigint>(last) + static_cast<bigint>(types.size()) > static_cast<bigint>(MAXTAGINT))
    error->all(FLERR, fmt::format("create_glass: {} atoms after atom {} have no IDs left: use reset_atoms id",
                                  types.size(), last));
  std::vector<tagint> ids(types.size());
  std::iota(ids.begin(), ids.end(), last + 1);

  // new atoms take the places of ghosts

  if (atom->map_style != Atom::MAP_NONE) atom->map_clear();
  atom->nghost = 0;
  const bigint before = atom->natoms;
  lammps_create_atoms(lmp, static_cast<int>(types.size()), ids.data(), types.data(), positions.data(), nullptr, nullptr,
                      0);
  if (atom->natoms != before + static_cast<bigint>(types.size()))
    error->all(FLERR, fmt::format("create_glass: {} of {} atoms were created: another command has changed the box",
                                  atom->natoms - before, types.size()));
}
