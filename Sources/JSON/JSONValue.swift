/// A JSON document in which numbers stay the text they were written as: money is never read through a double, and an
/// exponent of −6176 neither breaks anything nor allocates.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A number's text, as RFC 8259 allows it.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// Members in the order they were written; of a repeated name the last counts (`subscript`).
    case object([Member])

    /// A name and its value; an object keeps their order.
    package struct Member: Hashable, Sendable {
        package var name: String
        package var value: JSONValue

        package init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }
}

extension JSONValue {
    /// The member of that name; nil for a missing one and for anything but an object. A null member is `.null`.
    package subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    /// A missing member is nil, not `.null`.
    package var isNull: Bool { self == .null }

    /// nil for anything else; so for the four below.
    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
    package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    /// The text of a number; nil for anything else.
    package var numberText: String? { if case .number(let text) = self { text } else { nil } }

    /// A whole number within `Int64`, also when it is written `30.0` or `3e1`; nil for fractions and anything else.
    package var integer: Int64? {
        guard case .number(let text) = self else { return nil }
        if let plain = Int64(text) { return plain }
        guard text.utf8.count <= 64 else { return nil }
        let parts = text.split(whereSeparator: { $0 == "e" || $0 == "E" })
        guard let mantissa = parts.first, let exponent = parts.count == 1 ? 0 : Int(parts[1].drop { $0 == "+" }) else {
            return nil
        }
        let halves = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        let fraction = halves.count == 2 ? String(halves[1]) : ""
        var digits = halves[0] + fraction
        let shift = exponent - fraction.count
        if shift < 0 {
            guard -shift <= digits.count || digits.allSatisfy({ $0 == "0" || $0 == "-" }) else { return nil }
            let cut = digits.suffix(min(-shift, digits.count))
            guard cut.allSatisfy({ $0 == "0" }) else { return nil }
            digits = digits.dropLast(cut.count)
            return digits.isEmpty || digits == "-" ? 0 : Int64(digits)
        }
        guard shift <= 18 else { return digits.allSatisfy { $0 == "0" || $0 == "-" } ? 0 : nil }
        return Int64(digits + String(repeating: "0", count: shift))
    }

    /// A whole number of any size.
    package static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .number(String(value)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(nilLiteral: ()) { self = .null }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(elements.map(Member.init)) }

    /// A string, or null for nil.
    package init(_ text: String?) { self = text.map(JSONValue.string) ?? .null }
}
