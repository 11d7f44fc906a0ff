import Runtime

/// What stands in front of every line of a supervised program: its name, as wide as the longest, in a colour of its own.
struct LinePrefix: Sendable {
    private static let colours = [36, 32, 35, 33, 34, 96, 92, 95]

    private let prefixes: [String: String]

    init(names: [String], isColoured: Bool) {
        let width = names.map(\.displayWidth).max() ?? 0
        prefixes = Dictionary(
            names.enumerated().map { index, name in
                let padded = name + String(repeating: " ", count: width - name.displayWidth) + " │ "
                let colour = Self.colours[index % Self.colours.count]
                return (name, isColoured ? "\u{1B}[\(colour)m\(padded)\u{1B}[0m" : padded)
            }, uniquingKeysWith: { first, _ in first })
    }

    func text(_ name: String) -> String { prefixes[name] ?? "\(name) │ " }
}
