import CRuntime
import Glibc
import JSON

extension StringProtocol {
    /// How many cells of a terminal this takes: Hangul and emoji take two, combining marks none.
    package var displayWidth: Int {
        // wcwidth answers by the locale in force; C.UTF-8 is part of glibc.
        _ = DisplayLocale.isSet
        var width = 0
        for character in self {
            // A cluster is as wide as its widest part: joined emoji are drawn as one.
            width += character.unicodeScalars.map { Swift.max(0, Int(runtime_cell_width($0.value))) }.max() ?? 0
        }
        return width
    }

    /// The text with hidden characters made visible, so that data cannot move the cursor, recolour a terminal or turn a line.
    package var withoutControls: String { withoutControls(except: []) }

    /// - Parameter kept: hidden ones that are wanted, such as ends of lines.
    func withoutControls(except kept: Unicode.Scalar...) -> String { withoutControls(except: kept) }

    private func withoutControls(except kept: [Unicode.Scalar]) -> String {
        if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return String(self) }
        var text = ""
        for scalar in unicodeScalars {
            let isShown = !scalar.isHidden || scalar.isJoiner || kept.contains(scalar)
            text.unicodeScalars.append(isShown ? scalar : "\u{FFFD}")
        }
        return text
    }
}

private enum DisplayLocale {
    static let isSet: Bool = setlocale(LC_CTYPE, "C.UTF-8") != nil
}
