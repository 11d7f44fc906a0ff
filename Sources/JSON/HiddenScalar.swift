extension Unicode.Scalar {
    /// Whether it is drawn as nothing and steers what is drawn after it: control characters, those that turn the direction of
    /// a line or stand in it unseen, and ends of lines. Whatever comes from outside loses them, or shows them as an escape,
    /// before it reaches a terminal, a log or an event. Source: Unicode's general categories Cc, Cf, Zl and Zp.
    package var isHidden: Bool {
        if (0x20..<0x7F).contains(value) { return false }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    /// Whether it is hidden, but holds emoji and the letters of some scripts together (ZWNJ and ZWJ).
    package var isJoiner: Bool { value == 0x200C || value == 0x200D }
}
