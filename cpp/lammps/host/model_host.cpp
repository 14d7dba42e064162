/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/host/model_host.h"

#include "base/error.h"
#include "base/suggestion.h"
#include "engines/kind.h"
#include "engines/reference_error.h"
#include "lammps/host/engine_loader.h"
#include "neighbours/images.h"
#include "rules/elements.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

#include <algorithm>

using namespace LAMMPS_NS;

static const std::vector<std::string> SHARED_KEYWORDS = {"engine", "device", "trust", "check"};

using vitrify::joined;

static bool contains(const std::vector<std::string> &words, const std::string &word)
{ return std::find(words.begin(), words.end(), word) != words.end(); }

/* ---------------------------------------------------------------------- */

ModelHost::ModelHost(LAMMPS *lmp, const std::string &_style, const std::string &_kind) :
    Pointers(lmp), style(_style), forced(false), kind(_kind), device("cpu"), trust_flag(false), check_flag(false),
    next(0), ifirst(0)
{
}

/* ---------------------------------------------------------------------- */

bool ModelHost::is_keyword(const std::string &word) const
{ return contains(keywords, word); }

bool ModelHost::is_shared(const std::string &word)
{ return contains(SHARED_KEYWORDS, word); }

/* ---------------------------------------------------------------------- */

void ModelHost::begin_arguments(int iarg, int narg, char **arg, const std::vector<std::string> &own_keywords)
{
  if (narg <= iarg) utils::missing_cmd_args(FLERR, style, error);
  if (!domain->box_exist)
    error->all(FLERR,
               fmt::format("{}: used before simulation box is defined: use read_data or create_box first", style));
  keywords = SHARED_KEYWORDS;
  keywords.insert(keywords.end() - 1, own_keywords.begin(), own_keywords.end());
  next = iarg + 1;
  while (next < narg && !is_keyword(arg[next]) && static_cast<int>(elements.size()) < atom->ntypes)
    elements.emplace_back(arg[next++]);
  ifirst = next;
  words_before = style.substr(0, style.find('_')) == "pair" ? "pair_coeff" : style.substr(0, style.find(' '));
  for (int i = 0; i < iarg; i++) words_before += std::string(" ") + arg[i];
  words_before += " " + words_of_host + arg[iarg];
  for (int i = next; i < narg; i++) words_after += std::string(" ") + arg[i];
}

/* ---------------------------------------------------------------------- */

void ModelHost::end_arguments(int iarg, int narg, char **arg, bool allow_null)
{
  open_model(arg[iarg]);
  if (next < narg) {
    const std::string word = arg[next];
    if (next == ifirst && (model.species_index(word) >= 0 || (allow_null && word == vitrify::NULL_ELEMENT)))
      error->all(FLERR, fmt::format("{}: too many elements: got {} for {} atom types; give one for each type", style,
                                    joined(elements) + " " + word, atom->ntypes));
    error->all(FLERR, fmt::format("{}: unknown keyword {}: use {}", style, word, joined(keywords)));
  }
  map_elements(allow_null);
}

/* ----------------------------------------------------------------------
   read one of the keywords that all styles have; return the number of words
------------------------------------------------------------------------- */

int ModelHost::read_shared(int narg, char **arg)
{
  const std::string keyword = arg[next];
  if (next + 2 > narg) utils::missing_cmd_args(FLERR, style + " " + keyword, error);
  const std::string value = arg[next + 1];
  if (keyword == "engine") {
    if (value != "native" && value != "torch")
      error->all(FLERR, fmt::format("{}: engine {} is unknown: use native or torch", style, value));
    engine_name = value;
  } else if (keyword == "device") {
    device = value;
  } else if (keyword == "trust") {
    trust_flag = utils::logical(FLERR, value, false, lmp) == 1;
  } else {
    check_flag = utils::logical(FLERR, value, false, lmp) == 1;
  }
  return 2;
}

/* ---------------------------------------------------------------------- */

int ModelHost::read_force(int iarg, int narg, char **arg)
{
  if (iarg + 2 > narg) utils::missing_cmd_args(FLERR, style + " force", error);
  forced = utils::logical(FLERR, arg[iarg + 1], false, lmp) == 1;
  return 2;
}

/* ---------------------------------------------------------------------- */

std::string ModelHost::line_with_species(const std::vector<int> &species) const
{
  std::string line = words_before;
  for (int type = 1; type <= atom->ntypes; type++)
    line += " " + (species_of_type[type] < 0 ? elements[type - 1] : model.species[species[species_of_type[type]]]);
  return line + words_after;
}

/* ----------------------------------------------------------------------
   all ranks read the file, and agree on whether they could
------------------------------------------------------------------------- */

void ModelHost::open_model(const std::string &name)
{
  std::string message;
  std::unique_ptr<vitrify::ModelFile> file;
  try {
    file.reset(new vitrify::ModelFile(vitrify::find_model(name, vitrify::shipped_model_folders())));
    path = file->path();
    model = file->metadata();
    if (engine_name.empty()) engine_name = file->has_native_weights() && device == "cpu" ? "native" : "torch";
    if (model.kind != kind)
      message = refuse_kind();
    else if (engine_name == "native" && device != "cpu")
      message = fmt::format("engine native has no device {}: use device cpu, or engine torch", device);
  } catch (const std::exception &e) {
    message = e.what();
  }
  fail_if(message);

  // GPUs are shared out among the ranks of a node

  MPI_Comm node;
  int local_rank = 0;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, comm->me, MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &local_rank);
  MPI_Comm_free(&node);

  try {
    make_engine(*file, local_rank);
    if (check_flag) message = check_reference();
  } catch (const std::exception &e) {
    message = e.what();
  }
  fail_if(message);
}

/* ---------------------------------------------------------------------- */

void ModelHost::make_engine(const vitrify::ModelFile &file, int local_rank)
{
  const vitrify::EngineOptions options{&file, trust_flag, device, local_rank};
  const bool native = engine_name == "native";
  if (vitrify::find_kind(kind).make_energy_engine)
    energy_engine = native ? vitrify::make_native_energy_engine(file) : vitrify::make_torch_glassvae(options);
  else
    engine = native ? vitrify::make_native_engine(file) : vitrify::make_torch_engine(options);
}

/* ---------------------------------------------------------------------- */

std::string ModelHost::refuse_kind() const
{
  return fmt::format("model file {} is of kind {}{}, or give a model of kind {}", path, model.kind,
                     vitrify::find_kind(model.kind).use(model), kind);
}

/* ----------------------------------------------------------------------
   what is wrong with the engine's answer to the reference case of the model file
------------------------------------------------------------------------- */

std::string ModelHost::check_reference()
{
  const vitrify::Deviation deviation = energy_engine ? vitrify::reference_deviation(*energy_engine, model)
                                                     : vitrify::reference_deviation(*engine, model);
  if (!deviation.is_allowed())
    return fmt::format("model file {} does not reproduce its reference case: relative error {:.3g}, allowed {:.3g}; "
                       "export the model again, or see `vitrify doctor`",
                       path, deviation.error, deviation.allowed);
  if (comm->me == 0)
    utils::logmesg(lmp, "{}: reference case reproduced, relative error {:.3g}\n", style, deviation.error);
  return "";
}

/* ---------------------------------------------------------------------- */

void ModelHost::map_elements(bool allow_null)
{
  std::string message;
  std::vector<int> found;
  attempt(message, [&] { found = vitrify::species_of_types(elements, atom->ntypes, model.species, allow_null); });
  if (!message.empty()) error->all(FLERR, style + ": " + message);
  species_of_type.assign(1, -1);
  species_of_type.insert(species_of_type.end(), found.begin(), found.end());
  for (int type = 1; type <= atom->ntypes; type++)
    mapping += fmt::format("{}{} -> {}", mapping.empty() ? "" : ", ", type, elements[type - 1]);
}

/* ---------------------------------------------------------------------- */

void ModelHost::check_system()
{
  if (model.units != update->unit_style)
    error->all(FLERR, fmt::format("{}: the model is in {} units, but the input uses units {}: use units {}", style,
                                  model.units, update->unit_style, model.units));
  if (domain->dimension != 3)
    error->all(FLERR, fmt::format("{}: the model is three-dimensional: use dimension 3", style));
}

void ModelHost::check_neighbors()
{
  if (neighbor->includegroup)
    error->all(FLERR, fmt::format("{}: neigh_modify include hides neighbors from the model: use neigh_modify include "
                                  "all",
                                  style));
  if (comm->mode != Comm::SINGLE)
    error->all(FLERR, fmt::format("{}: comm_modify mode multi is not supported: use comm_modify mode single", style));
  check_box();
}

/* ----------------------------------------------------------------------
   a box that is far smaller than the cutoff would be filled with ghosts, until memory ends
------------------------------------------------------------------------- */

void ModelHost::check_box()
{
  const std::array<vitrify::Vector3, 3> cell{
      {{domain->xprd, 0.0, 0.0}, {domain->xy, domain->yprd, 0.0}, {domain->xz, domain->yz, domain->zprd}}};
  std::string message;
  attempt(message, [&] {
    vitrify::check_images(cell, {domain->xperiodic != 0, domain->yperiodic != 0, domain->zperiodic != 0},
                          static_cast<std::size_t>(atom->natoms), model.cutoff + neighbor->skin);
  });
  if (!message.empty()) error->all(FLERR, style + ": " + message);
}

/* ----------------------------------------------------------------------
   to be called in init(), after which LAMMPS chooses the ghost cutoff
------------------------------------------------------------------------- */

void ModelHost::request_ghosts()
{
  check_neighbors();
  if (!force->pair || model.cutoff > force->pair->cutforce)
    comm->cutghostuser = MAX(comm->cutghostuser, model.cutoff + neighbor->skin);
}

/* ---------------------------------------------------------------------- */

void ModelHost::check_masses()
{
  const std::vector<double> masses(atom->mass + 1, atom->mass + atom->ntypes + 1);
  const vitrify::WrongMass wrong =
      vitrify::find_wrong_mass(masses, {species_of_type.begin() + 1, species_of_type.end()}, model.masses);
  if (!wrong) return;
  const std::size_t type = wrong.index + 1;
  const std::string remedy =
      wrong.order.empty() ? fmt::format("mass {} {}", type, wrong.wanted) : line_with_species(wrong.order);
  error->all(FLERR,
             fmt::format("{}: {}", style,
                         vitrify::describe(wrong, fmt::format("type {}", type), model.species, "use " + remedy)));
}

/* ---------------------------------------------------------------------- */

void ModelHost::fail_if(std::string message)
{
  const int mine = message.empty() ? comm->nprocs : comm->me;
  int rank = 0;
  MPI_Allreduce(&mine, &rank, 1, MPI_INT, MPI_MIN, world);
  if (rank == comm->nprocs) return;
  int length = static_cast<int>(message.size());
  MPI_Bcast(&length, 1, MPI_INT, rank, world);
  message.resize(length);
  MPI_Bcast(&message[0], length, MPI_CHAR, rank, world);
  error->all(FLERR, style + ": " + vitrify::printable(message));
}
