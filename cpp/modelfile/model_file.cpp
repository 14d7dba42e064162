// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/model_file.h"

#include "base/error.h"
#include "modelfile/trust.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace vitrify {

ModelFile::ModelFile(const std::string &path) : archive_(path)
{
  metadata_text_ = archive_.metadata_text();
  metadata_ = parse_metadata(metadata_text_, path);
  if (metadata_.has_hyperparameters) native_weights_ = archive_.extra("weights.safetensors");
}

bool ModelFile::is_trusted() const
{ return vitrify::is_trusted(archive_.sha256()); }

std::string find_model(const std::string &name, const std::vector<std::string> &shipped)
{
  namespace fs = std::filesystem;
  std::error_code code;
  if (fs::exists(name, code)) return name;

  std::vector<std::string> folders;
  if (const char *variable = std::getenv("LAMMPS_POTENTIALS")) {
    std::string_view rest(variable);
    while (!rest.empty()) {
      const std::size_t colon = rest.find(':');
      if (colon != 0) folders.emplace_back(rest.substr(0, colon));
      rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    }
  }
  folders.insert(folders.end(), shipped.begin(), shipped.end());

  std::string looked = "the working directory";
  for (const std::string &folder : folders) {
    const fs::path path = fs::path(folder) / name;
    if (fs::exists(path, code)) return path.string();
    looked += ", " + folder;
  }
  throw Error("model file " + name + " does not exist: looked in " + looked +
              "; give its path, or add its folder to LAMMPS_POTENTIALS");
}

}    // namespace vitrify
