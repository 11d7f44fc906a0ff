import Foundation
@testable import Runtime
import Testing

@Suite struct ConfigurationTests {
    private func problems(_ text: String, environment: [String: String] = [:]) -> [String] {
        do {
            _ = try Configuration.parse(text, file: "config.yaml", environment: environment)
            return []
        } catch { return error.problems.map(\.description) }
    }

    @Test func anEmptyFileIsTheDefaults() throws {
        let configuration = try Configuration.parse("", file: "config.yaml")
        #expect(configuration.zone == "Asia/Seoul")
        #expect(configuration.billedAfterSeconds == 86_400)
        #expect(configuration.dailyTime == TimeOfDay("09:00"))
        #expect(configuration["zone"].origin == .fallback)
        #expect(configuration.reconcileAlertAbovePercentNanos == 1_000_000_000, "one per cent")
    }

    @Test func alertsHaveSettingsOfTheirOwn() throws {
        let fallbacks = try Configuration.parse("", file: "config.yaml")
        #expect(fallbacks.consoleURL == "http://localhost:8600")
        #expect(fallbacks.alertGiveUpAfterSeconds == 86_400 && fallbacks.silentAfterSeconds == 93_600)
        #expect(fallbacks.stalledAfterSeconds == 600)
        let text = "console_url: https://finops.example.com/console/\nalert_give_up_after: 30s\nstalled_after: 1m\n"
        let configuration = try Configuration.parse(text, file: "config.yaml")
        #expect(configuration.consoleURL == "https://finops.example.com/console")
        #expect(configuration.alertGiveUpAfterSeconds == 30 && configuration.stalledAfterSeconds == 60)
    }

    @Test(arguments: [
        "console_url: finops.example.com", "console_url: https://", "console_url: https://user@host",
        "console_url: https://host/a b", "silent_after: 0s", "stalled_after: soon", "alert_give_up_after: -1h",
    ])
    func aSettingOfAlertsThatCannotBeIsRefused(_ text: String) { #expect(problems(text + "\n").count == 1) }

    @Test func whatIsNoTextFileIsRefusedInPlainWords() async throws {
        try await withStateDirectory { directory in
            let path = directory.configuration
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            #expect(throws: CommandFailure(.failure, "cannot read \(path): it is a directory, not a file")) {
                try Configuration.load(directory)
            }
            try FileManager.default.removeItem(atPath: path)
            try Data([0xFF, 0xFE, 0x80]).write(to: URL(filePath: path))
            #expect(throws: CommandFailure(.failure, "cannot read \(path): it is not text in UTF-8")) {
                try Configuration.load(directory)
            }
        }
    }

    @Test func flagsOverEnvironmentOverFileOverDefaults() throws {
        let text = "zone: Europe/Berlin\ntrailing_days: 5\npoll_interval: 1m\n"
        let environment = ["FINOPS_TRAILING_DAYS": "6", "FINOPS_POLL_INTERVAL": "2m"]
        let configuration = try Configuration.parse(
            text, file: "config.yaml", flags: ["poll_interval": "30s"], environment: environment)
        #expect(configuration["zone"] == .init(text: "Europe/Berlin", origin: .file(line: 1)))
        #expect(configuration["trailing_days"] == .init(text: "6", origin: .environment("FINOPS_TRAILING_DAYS")))
        #expect(configuration["poll_interval"] == .init(text: "30s", origin: .flag))
        #expect(configuration["currency"].origin == .fallback)
    }

    @Test func anUnknownKeyIsNamedWithItsLineAndTheKeyItResembles() {
        #expect(
            problems("currency: USD\n\nbiled_after: 24h\n")
                == ["config.yaml:3: unknown key \"biled_after\"; did you mean \"billed_after\"?"])
        #expect(problems("quite_different: 1\n") == ["config.yaml:1: unknown key \"quite_different\""])
    }

    @Test func allMistakesAreToldAtOnceInTheOrderOfTheirLines() {
        let found = problems("zone: Mars/Olympus\ndaily_time: 9am\nzome: x\ntrailing_days: many\n")
        #expect(found.count == 4)
        #expect(found.map { $0.prefix(15) } == (1...4).map { "config.yaml:\($0): " })
    }

    @Test func aMistakeInTheEnvironmentNamesItsVariable() {
        #expect(
            problems("", environment: ["FINOPS_DAILY_TIME": "25:00"]) == [
                "config.yaml: daily_time (environment FINOPS_DAILY_TIME) must be a time such as 09:00, not \"25:00\""
            ])
    }

    @Test func aCredentialInTheWrongPlaceIsMaskedInTheComplaint() {
        let secret = "sk-proj-abcdefgh12345678"
        for text in ["zone: \(secret)", "\(secret): 1", "zone: 4f1e09d6b3247a8c5b0c77aa91f24e03"] {
            let found = problems(text).joined()
            #expect(!found.isEmpty && !found.contains("abcdefgh") && !found.contains("9d6b3247"))
        }
    }

    @Test func theSameKeyTwiceIsRefused() {
        #expect(problems("zone: Asia/Seoul\nzone: Asia/Tokyo\n").first?.contains("the same key twice") == true)
    }

    @Test func whatIsNoYamlIsRefusedWithItsLine() {
        #expect(problems("zone: [Asia/Seoul\ncurrency: USD\n").first?.contains("not YAML") == true)
    }

    @Test func aListWhereAMappingBelongsIsRefused() {
        #expect(problems("- zone\n") == ["config.yaml:1: the document must be a mapping"])
    }

    @Test func ratesStayDecimalText() throws {
        let text = "rates:\n  - { currency: EUR, from: 2026-01-01, rate: 1.10 }\n"
        let configuration = try Configuration.parse(text, file: "config.yaml")
        #expect(configuration.rates == [.init(currency: "EUR", from: "2026-01-01", rate: "1.10")])
        #expect(problems("rates:\n  - { currency: EUR, from: soon, rate: -1 }\n").count == 2)
    }

    @Test(arguments: [
        ("1234567890.12345678", true), ("1234567890.123456789", false), ("1000000000000000000000", true),
        ("0.0000000000000000000001", true), ("1234567890123456789", false), ("0.0", false),
    ])
    func aRateHasAtMostEighteenDigits(_ rate: String, _ isTaken: Bool) {
        let found = problems("rates:\n  - { currency: EUR, from: 2026-01-01, rate: \"\(rate)\" }\n")
        #expect(found.isEmpty == isTaken)
        #expect(found.allSatisfy { $0.hasPrefix("config.yaml:2: ") && $0.contains("18 digits") })
    }

    @Test(arguments: ["../../etc/passwd", "/etc/passwd", "", "Asia", "Asia/Seoul/", "asia seoul"])
    func aZoneThatIsNoneIsRefused(_ name: String) { #expect(!isTimeZone(name)) }

    @Test(arguments: ["Asia/Seoul", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+9"])
    func aZoneOfTheSystemIsTaken(_ name: String) { #expect(isTimeZone(name)) }

    @Test(arguments: [("90s", 90), ("5m", 300), ("24h", 86_400), ("3d", 259_200)])
    func spansAreReadAsPeopleWriteThem(_ text: String, _ seconds: Int64) {
        #expect(DurationText.seconds(text) == seconds)
    }

    @Test(arguments: ["", "5", "m", "-5m", "1.5h", "99999999999d"])
    func whatIsNoSpanIsRefused(_ text: String) { #expect(DurationText.seconds(text) == nil) }
}
