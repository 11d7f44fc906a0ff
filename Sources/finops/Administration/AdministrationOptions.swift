import ArgumentParser
import FinOps
import JSON
import Runtime

/// What every administration command takes.
struct AdministrationOptions: ParsableArguments {
    @OptionGroup var global: GlobalOptions

    @Option(help: "Why; kept with the event.")
    var reason = ""

    private static let reasonBytes = 500

    func validate() throws {
        guard reason.utf8.count <= Self.reasonBytes else {
            throw ValidationError("--reason has \(reason.utf8.count) bytes; use at most \(Self.reasonBytes)")
        }
        guard reason.unicodeScalars.allSatisfy({ !$0.isHidden || $0.isJoiner }) else {
            throw ValidationError(
                "--reason has a control character, or another one that is not seen; write it on one line")
        }
    }
}

/// A provider that costs are collected from.
enum Provider: String, ExpressibleByArgument, CaseIterable {
    case openai
}

/// When something begins to hold: a day of the business zone, or `beginning` for all that was ever collected.
enum StartDay: ExpressibleByArgument {
    case beginning
    case day(Day)

    init?(argument: String) {
        if argument == "beginning" {
            self = .beginning
        } else if let day = Day(argument) {
            self = .day(day)
        } else {
            return nil
        }
    }

    static let help: ArgumentHelp = "First day, YYYY-MM-DD in the business zone, or \"beginning\"."
}

/// A name from the command line.
/// - Throws: `CommandFailure` with `usage`.
func givenName(_ text: String, field: String) throws -> GivenName {
    do { return try GivenName(text, field: field) } catch { throw CommandFailure(.usage, "\(error)") }
}

/// An id that a provider gave, such as `key_…`.
/// - Throws: `CommandFailure` with `usage`; its text never repeats what may be a key itself.
func providerID(_ text: String, option: String) throws -> String {
    guard (1...200).contains(text.utf8.count), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
        throw CommandFailure(.usage, "\(option): an id has 1 to 200 printable ASCII characters and no blanks")
    }
    guard !text.hasPrefix("sk-") else {
        throw CommandFailure(
            .usage, "\(option): this looks like a key itself; give its id, as the provider's usage pages show it",
            hint: "whoever could see this command line has seen the key: replace it")
    }
    return text
}
