// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/weights.h"

#include "base/error.h"
#include "modelfile/strict_json.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace vitrify {

namespace {

constexpr std::size_t MAX_HEADER_SIZE = std::size_t(8) << 20;

[[noreturn]] void fail(const std::string &what)
{ throw Error("weights.safetensors " + what + ": export the model again"); }

std::uint64_t little_endian(std::string_view bytes)
{
  std::uint64_t value = 0;
  for (std::size_t k = bytes.size(); k-- > 0;) value = (value << 8) | static_cast<unsigned char>(bytes[k]);
  return value;
}

std::string text_of(const std::vector<std::size_t> &shape)
{
  std::string text = "(";
  for (std::size_t k = 0; k < shape.size(); ++k) text += (k ? ", " : "") + std::to_string(shape[k]);
  return text + ")";
}

// Number of values of a tensor whose shape comes from the header, so that the product may not overflow.
std::size_t count_of(const std::vector<std::size_t> &shape, std::size_t most, const std::string &name)
{
  std::size_t count = 1;
  for (const std::size_t length : shape) {
    if (length != 0 && count > most / length) fail("has the shape " + text_of(shape) + " of " + name + ", too large");
    count *= length;
  }
  return count;
}

json parse_header(std::string_view text)
{
  try {
    return parse_json(text);
  } catch (const std::exception &error) {
    fail(std::string("has a damaged header (") + error.what() + ")");
  }
}

std::vector<std::size_t> sizes_of(const json &values, const std::string &name)
{
  std::vector<std::size_t> sizes;
  if (!values.is_array()) fail("has a damaged header (sizes of " + name + ")");
  for (const json &value : values) {
    if (!value.is_number_unsigned()) fail("has a damaged header (sizes of " + name + ")");
    sizes.push_back(value.get<std::size_t>());
  }
  return sizes;
}

template <typename Bits, typename Real> double decode(std::string_view bytes)
{
  const auto bits = static_cast<Bits>(little_endian(bytes));
  Real value;
  std::memcpy(&value, &bits, sizeof(value));
  return static_cast<double>(value);
}

}    // namespace

Weights::Weights(std::string_view bytes)
{
  if (bytes.size() < 8) fail("is truncated");
  const std::uint64_t length = little_endian(bytes.substr(0, 8));
  if (length > bytes.size() - 8) fail("is truncated");
  if (length > MAX_HEADER_SIZE) fail("has too long a header");
  const std::string_view header = bytes.substr(8, length), values = bytes.substr(8 + length);
  try {
    const json document = parse_header(header);
    if (!document.is_object()) fail("has a damaged header (no object)");
    std::map<std::size_t, std::size_t> parts;    // where tensors begin -> where they end
    for (const auto &[name, description] : document.items()) {
      if (name == "__metadata__") continue;
      Entry entry;
      const auto dtype = description.at("dtype").get<std::string>();
      if (dtype != "F32" && dtype != "F64") fail("holds " + name + " as " + dtype + ", not as F32 or F64");
      entry.is_double = dtype == "F64";
      entry.shape = sizes_of(description.at("shape"), name);
      const std::vector<std::size_t> offsets = sizes_of(description.at("data_offsets"), name);
      if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > values.size())
        fail("has wrong offsets of " + name);
      entry.bytes = values.substr(offsets[0], offsets[1] - offsets[0]);
      const std::size_t size = entry.is_double ? 8 : 4;
      if (entry.bytes.size() != size * count_of(entry.shape, values.size() / size, name))
        fail("has another size of " + name + " than its shape " + text_of(entry.shape) + " needs");
      if (!entry.bytes.empty() && !parts.emplace(offsets[0], offsets[1]).second)
        fail("has wrong offsets of " + name + ", which overlaps another");
      entries_[name] = std::move(entry);
    }
    // Each value belongs to one tensor, so that a small file cannot stand for large memory.
    std::size_t end = 0;
    for (const auto &[begin, stop] : parts) {
      if (begin != end) fail("has wrong offsets: tensors overlap, or leave values out");
      end = stop;
    }
    if (end != values.size()) fail("has wrong offsets: values are left over");
  } catch (const json::exception &error) {
    fail(std::string("has a damaged header (") + error.what() + ")");
  }
}

std::vector<double> Weights::tensor(const std::string &name, const std::vector<std::size_t> &shape) const
{
  const auto found = entries_.find(name);
  if (found == entries_.end()) fail("has no " + name);
  const Entry &entry = found->second;
  if (entry.shape != shape) fail("has the shape " + text_of(entry.shape) + " of " + name + ", not " + text_of(shape));
  const std::size_t size = entry.is_double ? 8 : 4;
  std::vector<double> values(entry.bytes.size() / size);
  for (std::size_t k = 0; k < values.size(); ++k) {
    const std::string_view bytes = entry.bytes.substr(k * size, size);
    values[k] = entry.is_double ? decode<std::uint64_t, double>(bytes) : decode<std::uint32_t, float>(bytes);
    if (!std::isfinite(values[k])) fail("has a value of " + name + " that is not finite");
  }
  return values;
}

}    // namespace vitrify
