/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   What all styles that run a model share: the words MODEL El1 El2 ... [engine native|torch] [device cpu|cuda|cuda:n]
   [check yes|no] of a command, finding and checking the model file, its engine, and errors that all ranks agree on
------------------------------------------------------------------------- */

#ifndef VITRIFY_MODEL_HOST_H
#define VITRIFY_MODEL_HOST_H

#include "pointers.h"

#include "engines/energy_engine.h"
#include "modelfile/metadata.h"

#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace vitrify {
class ModelFile;
}

namespace LAMMPS_NS {

class ModelHost : protected Pointers {
public:
  // messages begin with `style`, such as "fix ogn"; models must be of `kind`

  ModelHost(LAMMPS *lmp, const std::string &style, const std::string &kind);

  const std::string style;
  vitrify::Metadata model;
  std::string path;
  std::unique_ptr<vitrify::Engine> engine;
  std::unique_ptr<vitrify::EnergyEngine> energy_engine;    // of kind glassvae, in place of the other engine
  std::string engine_name;                                 // native or torch
  std::vector<int> species_of_type;    // model's species for each LAMMPS type, [0] is not used; -1 for NULL
  std::string mapping;                 // the same in words
  std::string words_of_host;           // that stand before the model in the input, such as a sub-style of hybrid
  bool forced;                         // force yes: go on where predictions are impossible

  // arg[iarg] is the model file; read elements and keywords after it, open the model, map the elements
  // `read_keyword` reads one keyword of the style's own and returns the number of its words

  template <typename ReadKeyword>
  void read_arguments(int iarg, int narg, char **arg, const std::vector<std::string> &own_keywords, bool allow_null,
                      ReadKeyword &&read_keyword)
  {
    begin_arguments(iarg, narg, arg, own_keywords);
    while (next < narg && is_keyword(arg[next])) {
      const std::string keyword = arg[next];
      next += is_shared(keyword) ? read_shared(narg, arg) : read_keyword(next, narg, arg);
    }
    end_arguments(iarg, narg, arg, allow_null);
  }

  // one of the keywords, of styles that list FORCE among their own: force yes|no; returns the number of words

  static constexpr const char *FORCE = "force";
  int read_force(int iarg, int narg, char **arg);

  // the command in which each species is replaced by species[s]

  std::string line_with_species(const std::vector<int> &species) const;

  // units and dimension, which cannot change after the box exists

  void check_system();

  // what a run must fulfil so that all neighbors of an atom are there

  void check_neighbors();

  // that the box has room: all images of an atom within the cutoff can be held

  void check_box();

  // all of check_neighbors, and ghosts up to the cutoff plus the skin

  void request_ghosts();

  // that types have the masses that the model was trained with

  void check_masses();

  // stop all ranks with the message of the first that has one; all ranks must call this

  void fail_if(std::string message);

  // run `action` of the model's code, whose exceptions must not reach LAMMPS, unless there is a message already;
  // `message` becomes what went wrong

  template <typename Action> static void attempt(std::string &message, Action &&action)
  {
    if (!message.empty()) return;
    try {
      action();
    } catch (const std::exception &e) {
      message = e.what();
    } catch (...) {
      message = "unknown error";
    }
  }

private:
  std::string kind, device;
  bool trust_flag, check_flag;
  std::vector<std::string> keywords, elements;
  std::string words_before, words_after;    // of the command: up to the elements, and behind them
  int next, ifirst;                         // next word to read, and the first after the elements

  void begin_arguments(int, int, char **, const std::vector<std::string> &);
  void end_arguments(int, int, char **, bool);
  bool is_keyword(const std::string &) const;
  static bool is_shared(const std::string &);
  int read_shared(int, char **);
  void open_model(const std::string &);
  std::string refuse_kind() const;
  void make_engine(const vitrify::ModelFile &, int);
  std::string check_reference();
  void map_elements(bool);
};

}    // namespace LAMMPS_NS

#endif
