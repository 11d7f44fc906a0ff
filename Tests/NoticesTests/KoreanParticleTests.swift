import Testing

@testable import Notices

@Suite struct KoreanParticleTests {
    @Test(arguments: [
        // Hangul: with, without, and with ㄹ at the end
        ("검색팀", "은", "이", "을", "으로"), ("커머스", "는", "가", "를", "로"), ("서울", "은", "이", "을", "로"),
        // Digits: 영 일 이 삼 사 오 육 칠 팔 구, and 십
        ("v0", "은", "이", "을", "으로"), ("v1", "은", "이", "을", "로"), ("v2", "는", "가", "를", "로"),
        ("v3", "은", "이", "을", "으로"), ("v4", "는", "가", "를", "로"), ("v5", "는", "가", "를", "로"),
        ("v6", "은", "이", "을", "으로"), ("v7", "은", "이", "을", "로"), ("v8", "은", "이", "을", "로"),
        ("v9", "는", "가", "를", "로"), ("gpt-4.10", "은", "이", "을", "으로"),
        // Letters that are spelled out
        ("LLM", "은", "이", "을", "으로"), ("API", "는", "가", "를", "로"), ("SQL", "은", "이", "을", "로"),
        ("team-r", "은", "이", "을", "로"), ("PDF", "는", "가", "를", "로"), ("mail-ko", "는", "가", "를", "로"),
        // Words as they are borrowed: 서치, 봇, 파이프라인, 파일, 리포트, 북, 루트, 스택, 체크아웃, 프로젝터, 슬랙, 모델
        ("search", "는", "가", "를", "로"), ("chatbot", "은", "이", "을", "으로"), ("pipeline", "은", "이", "을", "으로"),
        ("file", "은", "이", "을", "로"), ("report", "는", "가", "를", "로"), ("notebook", "은", "이", "을", "으로"),
        ("root", "는", "가", "를", "로"), ("stack", "은", "이", "을", "으로"), ("checkout", "은", "이", "을", "으로"),
        ("projector", "는", "가", "를", "로"), ("slack", "은", "이", "을", "으로"), ("model", "은", "이", "을", "로"),
        ("openai/acme", "은", "이", "을", "으로"), ("service", "는", "가", "를", "로"), ("training", "은", "이", "을", "으로"),
        // What is not read aloud at the end
        ("검색팀 (서울)", "은", "이", "을", "로"), ("search-api…", "는", "가", "를", "로"), ("커머스!", "는", "가", "를", "로"),
        ("", "는", "가", "를", "로"), ("🔥", "는", "가", "를", "로"),
    ])
    func aParticleFollowsTheSoundOfTheWord(
        _ word: String, _ topic: String, _ subject: String, _ object: String, _ means: String
    ) {
        #expect(KoreanParticle.topic.after(word) == topic)
        #expect(KoreanParticle.subject.after(word) == subject)
        #expect(KoreanParticle.object.after(word) == object)
        #expect(KoreanParticle.means.after(word) == means)
    }
}
