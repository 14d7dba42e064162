// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "modelfile/archive.h"
#include "modelfile/metadata.h"

#include <string>
#include <string_view>
#include <vector>

namespace vitrify {

/// A model file on disk: an archive that holds vitrify.json, and a TorchScript program or plain weights or both.
class ModelFile {
public:
  /// Reads and checks the whole file; throws Error if it is missing, damaged or no model of vitrify's.
  explicit ModelFile(const std::string &path);

  const std::string &path() const { return archive_.path(); }
  /// All bytes of the file, which the checks have passed; torch gets these, and never the path.
  std::string_view bytes() const { return archive_.bytes(); }
  const std::string &metadata_text() const { return metadata_text_; }
  const Metadata &metadata() const { return metadata_; }

  /// True if the native engine can run the model: it has hyperparameters and weights as plain tensors.
  bool has_native_weights() const { return !native_weights_.empty(); }
  /// The bytes of weights.safetensors, valid as long as this object; empty if there are none.
  std::string_view native_weights() const { return native_weights_; }
  /// True if the file comes with vitrify, or the user has exported or approved it, so that its program may be run.
  bool is_trusted() const;

private:
  Archive archive_;
  std::string metadata_text_;
  std::string_view native_weights_;
  Metadata metadata_;
};

/// The path of model `name`: as it stands, then in the directories of $LAMMPS_POTENTIALS, then in `shipped`.
/// Throws Error that says where it looked.
std::string find_model(const std::string &name, const std::vector<std::string> &shipped);

}    // namespace vitrify
