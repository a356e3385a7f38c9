"""Texts about six matters in nine languages, to measure what finds copies.

Each row holds four texts: one voice; the same with small edits; the same reasons in other words; the same matter and
opening with another reason. Row k of every language translates row k of the others.
"""

from __future__ import annotations

from typing import NamedTuple


class Quartet(NamedTuple):
    """One voice and three texts beside it; only ``other`` is no copy."""

    base: str
    near: str
    paraphrase: str
    other: str


QUARTETS: dict[str, tuple[Quartet, ...]] = {
    "en": (
        Quartet(
            "I trust my neighbours because they looked after my children when I was in hospital last winter. Since then we share our spare keys.",
            "Honestly, I trust my neighbours because they looked after my parents when I was in hospital last winter. Since then we share our spare keys.",
            "When I had to stay at the clinic in the cold months, the people next door took care of my kids, so now I rely on them and we hold keys to each other's homes.",
            "I trust my neighbours because we have argued openly about noise and parking for years, and nobody ever lied. Quarrels that are spoken aloud do not worry me.",
        ),
        Quartet(
            "Work matters less to me than time with my family. My father missed every school play of mine, and I promised myself I would not do the same.",
            "My father missed every school concert of mine, and I promised myself I would not do the same. Work matters less to me than time with my family.",
            "I put hours at home above my job. Dad never once came to see me on stage at school, and I swore I would be a different kind of parent.",
            "Work matters less to me than time with my family. A machine can fill in for me at the plant any day, but nobody else can sit at my mother's bed.",
        ),
        Quartet(
            "People who come here for work should be let in as long as there are jobs. In our bakery two of the best hands came from abroad, and the shop would have closed without them.",
            "People who come here for work should be let in, as long as there are jobs! In our laundry two of the best hands came from abroad; the shop would have closed without them.",
            "If there is employment, newcomers ought to be welcome. Our little bread shop only survived thanks to a couple of excellent colleagues born in another country.",
            "People who come here for work should be let in as long as there are jobs. My grandmother crossed a border with one bag, and somebody gave her a chance; I owe others the same.",
        ),
        Quartet(
            "I vote every time even if it changes little. My grandparents were not allowed to, and staying at home would feel like forgetting them.",
            "Well, you know, I vote every time even if it changes little. My aunts were not allowed to, and staying at home would feel like forgetting them.",
            "I never miss an election although one ballot hardly counts. Grandma and grandpa had no such right in their day, and I would be letting their memory down if I stayed away.",
            "I vote every time even if it changes little. The council in our town was once decided by eleven ballots, and since then the road by the school has a crossing.",
        ),
        Quartet(
            "Science and faith do not fight in my head. The doctor set my broken leg, and prayer got me through the long nights afterwards.",
            "For me, science and faith do not fight in my head: the doctor set my broken arm, and prayer got me through the long nights afterwards.",
            "I see no quarrel between religion and research. Medicine mended the fracture in my leg, and praying helped me bear the sleepless nights that followed.",
            "Science and faith do not fight in my head. One asks how the stars burn, the other asks what I owe the people around me, and those are different questions.",
        ),
        Quartet(
            "I feel safe walking home at night because the shops on our street stay open late. There is always somebody at a door who knows my name.",
            "There is always somebody at a door who knows my face. I feel safe walking home at night because the shops on our street stay open late.",
            "Going back on foot after dark does not scare me: the stores around here close late, and someone who recognises me is always standing outside.",
            "I feel safe walking home at night because the town put in new lamps and the last bus now stops in front of our house. Before that I ran the last part.",
        ),
    ),
    "es": (
        Quartet(
            "Confío en mis vecinos porque cuidaron de mis hijos cuando estuve en el hospital el invierno pasado. Desde entonces nos dejamos las llaves.",
            "La verdad, confío en mis vecinos porque cuidaron de mis padres cuando estuve en el hospital el invierno pasado. Desde entonces nos dejamos las llaves.",
            "Durante los meses de frío me ingresaron, y la gente de al lado se ocupó de los niños; por eso me fío de ellos y cada uno tiene copia de la llave del otro.",
            "Confío en mis vecinos porque llevamos años discutiendo a la cara por el ruido y el aparcamiento, y nadie ha mentido nunca. Lo que se dice en voz alta no me preocupa.",
        ),
        Quartet(
            "El trabajo me importa menos que el tiempo con mi familia. Mi padre se perdió todas mis funciones del colegio y me prometí no hacer lo mismo.",
            "Mi padre se perdió todos mis partidos del colegio y me prometí no hacer lo mismo. El trabajo me importa menos que el tiempo con mi familia.",
            "Pongo las horas en casa por delante del empleo. Papá jamás vino a verme actuar en la escuela, y juré que yo sería distinto con los míos.",
            "El trabajo me importa menos que el tiempo con mi familia. En la planta una máquina puede sustituirme cualquier día, pero nadie más puede sentarse junto a la cama de mi madre.",
        ),
        Quartet(
            "A quien viene a trabajar hay que dejarlo entrar mientras haya empleo. En nuestra panadería dos de los mejores llegaron de fuera, y sin ellos habríamos cerrado.",
            "A quien viene a trabajar hay que dejarlo entrar, mientras haya empleo: en nuestra lavandería dos de los mejores llegaron de fuera... ¡y sin ellos habríamos cerrado!",
            "Si hay puestos libres, los recién llegados deben ser bienvenidos. Nuestro pequeño horno solo sobrevivió gracias a un par de compañeros estupendos nacidos en otro país.",
            "A quien viene a trabajar hay que dejarlo entrar mientras haya empleo. Mi abuela cruzó una frontera con una sola bolsa y alguien le dio una oportunidad; yo debo lo mismo.",
        ),
        Quartet(
            "Voto siempre aunque cambie poco. A mis abuelos no se lo permitían, y quedarme en casa sería como olvidarlos.",
            "Mira, yo voto siempre aunque cambie poco. A mis tías no se lo permitían, y quedarme en casa sería como olvidarlos.",
            "No falto a ninguna elección, por poco que pese una papeleta. La generación de mis abuelos no tenía ese derecho y no ir a las urnas sería borrar su memoria.",
            "Voto siempre aunque cambie poco. En mi pueblo el ayuntamiento se decidió una vez por once papeletas, y desde entonces hay un paso de cebra junto a la escuela.",
        ),
        Quartet(
            "En mi cabeza la ciencia y la fe no se pelean. El médico me arregló la pierna rota y la oración me ayudó a pasar las largas noches de después.",
            "Para mí, en mi cabeza la ciencia y la fe no se pelean: el médico me arregló el brazo roto y la oración me ayudó a pasar las largas noches de después.",
            "No veo conflicto entre religión e investigación. La medicina me curó la fractura de la pierna, y rezar me dio fuerzas en las noches en vela que siguieron.",
            "En mi cabeza la ciencia y la fe no se pelean. Una pregunta cómo arden las estrellas; la otra, qué le debo a la gente que me rodea, y son preguntas distintas.",
        ),
        Quartet(
            "Me siento seguro volviendo a casa de noche porque las tiendas de mi calle cierran tarde. Siempre hay alguien en una puerta que sabe mi nombre.",
            "Siempre hay alguien en un portal que sabe mi nombre. Me siento seguro volviendo a casa de noche porque las tiendas de mi calle cierran tarde.",
            "Regresar a pie cuando ya ha oscurecido no me da miedo: los comercios del barrio abren hasta tarde y fuera hay siempre una persona que me conoce.",
            "Me siento seguro volviendo a casa de noche porque el municipio puso farolas nuevas y el último autobús para ahora delante del portal. Antes hacía corriendo el último tramo.",
        ),
    ),
    "pt": (
        Quartet(
            "Confio nos meus vizinhos porque eles cuidaram dos meus filhos quando fiquei no hospital no inverno passado. Desde então trocamos as chaves de reserva.",
            "Sinceramente, confio nos meus vizinhos porque eles cuidaram dos meus pais quando fiquei no hospital no inverno passado. Desde então trocamos as chaves de reserva.",
            "Quando estive internado nos meses frios, o pessoal da casa ao lado tomou conta das crianças; por isso conto com eles, e cada um guarda uma cópia da chave do outro.",
            "Confio nos meus vizinhos porque há anos discutimos abertamente sobre barulho e estacionamento e ninguém nunca mentiu. Briga dita em voz alta não me preocupa.",
        ),
        Quartet(
            "O trabalho importa menos para mim do que o tempo com a família. Meu pai perdeu todas as minhas peças na escola, e prometi a mim mesmo não fazer igual.",
            "Meu pai perdeu todos os meus jogos na escola, e prometi a mim mesmo não fazer igual. O trabalho importa menos para mim do que o tempo com a família.",
            "Coloco as horas em casa acima do emprego. Papai nunca foi me ver no palco do colégio, e jurei que com os meus filhos seria diferente.",
            "O trabalho importa menos para mim do que o tempo com a família. Na fábrica uma máquina pode me substituir qualquer dia, mas ninguém mais pode ficar ao lado da cama da minha mãe.",
        ),
        Quartet(
            "Quem vem para trabalhar deve poder entrar enquanto houver vagas. Na nossa padaria dois dos melhores vieram de fora, e sem eles a loja teria fechado.",
            "Quem vem para trabalhar deve poder entrar, enquanto houver vagas! Na nossa lavanderia dois dos melhores vieram de fora; sem eles a loja teria fechado.",
            "Se existe emprego, os recém-chegados têm de ser bem recebidos. O nosso pequeno forno de pão só sobreviveu graças a um par de colegas excelentes nascidos noutro país.",
            "Quem vem para trabalhar deve poder entrar enquanto houver vagas. Minha avó atravessou uma fronteira com uma sacola só, e alguém lhe deu uma chance; eu devo o mesmo aos outros.",
        ),
        Quartet(
            "Eu voto sempre, mesmo que mude pouco. Meus avós não podiam, e ficar em casa seria como esquecê-los.",
            "Olha, eu voto sempre, mesmo que mude pouco. Minhas tias não podiam, e ficar em casa seria como esquecê-los.",
            "Não falto a nenhuma eleição, embora uma cédula pese quase nada. A geração do vovô e da vovó não tinha esse direito, e não ir às urnas seria trair a memória deles.",
            "Eu voto sempre, mesmo que mude pouco. Na minha cidade a câmara foi decidida uma vez por onze votos, e desde então há uma faixa de pedestres em frente da escola.",
        ),
        Quartet(
            "Ciência e fé não brigam na minha cabeça. O médico consertou minha perna quebrada, e a oração me ajudou a atravessar as longas noites depois.",
            "Para mim, ciência e fé não brigam na minha cabeça: o médico consertou meu braço quebrado, e a oração me ajudou a atravessar as longas noites depois.",
            "Não vejo conflito entre religião e pesquisa. A medicina curou a fratura da minha perna, e rezar me deu força nas noites sem sono que vieram em seguida.",
            "Ciência e fé não brigam na minha cabeça. Uma pergunta como as estrelas ardem, a outra pergunta o que devo às pessoas à minha volta, e são perguntas diferentes.",
        ),
        Quartet(
            "Sinto-me seguro voltando para casa à noite porque as lojas da nossa rua fecham tarde. Há sempre alguém numa porta que sabe o meu nome.",
            "Há sempre alguém numa porta que conhece o meu rosto. Sinto-me seguro voltando para casa à noite porque as lojas da nossa rua fecham tarde.",
            "Regressar a pé depois de escurecer não me assusta: o comércio do bairro fica aberto até tarde e lá fora está sempre uma pessoa que me reconhece.",
            "Sinto-me seguro voltando para casa à noite porque a prefeitura pôs postes novos e o último ônibus agora para diante do nosso prédio. Antes eu corria o trecho final.",
        ),
    ),
    "de": (
        Quartet(
            "Ich vertraue meinen Nachbarn, weil sie auf meine Kinder aufgepasst haben, als ich letzten Winter im Krankenhaus lag. Seitdem haben wir die Ersatzschlüssel getauscht.",
            "Ehrlich gesagt vertraue ich meinen Nachbarn, weil sie auf meine Eltern aufgepasst haben, als ich letzten Winter im Krankenhaus lag. Seitdem haben wir die Ersatzschlüssel getauscht.",
            "In den kalten Monaten musste ich in die Klinik, und die Leute von nebenan kümmerten sich um die Kleinen. Auf sie ist Verlass, jeder hat inzwischen den Schlüssel zur Wohnung des anderen.",
            "Ich vertraue meinen Nachbarn, weil wir seit Jahren offen über Lärm und Parkplätze streiten und niemand je gelogen hat. Was laut gesagt wird, macht mir keine Sorgen.",
        ),
        Quartet(
            "Arbeit ist mir weniger wichtig als Zeit mit meiner Familie. Mein Vater hat jede meiner Schulaufführungen verpasst, und ich habe mir geschworen, es anders zu machen.",
            "Mein Vater hat jedes meiner Schulkonzerte verpasst, und ich habe mir geschworen, es anders zu machen. Arbeit ist mir weniger wichtig als Zeit mit meiner Familie.",
            "Stunden daheim gehen bei mir vor dem Beruf. Papa kam nie, um mich auf der Bühne zu sehen, und so ein Elternteil wollte ich auf keinen Fall werden.",
            "Arbeit ist mir weniger wichtig als Zeit mit meiner Familie. Im Werk kann mich jeden Tag eine Maschine ersetzen, aber niemand sonst kann am Bett meiner Mutter sitzen.",
        ),
        Quartet(
            "Wer zum Arbeiten herkommt, soll bleiben dürfen, solange es Stellen gibt. In unserer Bäckerei kamen zwei der Besten aus dem Ausland, ohne sie hätten wir schließen müssen.",
            "Wer zum Arbeiten herkommt, soll bleiben dürfen - solange es Stellen gibt! In unserer Wäscherei kamen zwei der Besten aus dem Ausland; ohne sie hätten wir schließen müssen.",
            "Gibt es freie Arbeitsplätze, dann sollten Zugewanderte willkommen sein. Unser kleiner Brotladen hat nur dank zweier großartiger Kollegen aus einem anderen Land überlebt.",
            "Wer zum Arbeiten herkommt, soll bleiben dürfen, solange es Stellen gibt. Meine Großmutter ging mit einer einzigen Tasche über die Grenze, und jemand gab ihr eine Chance.",
        ),
        Quartet(
            "Ich gehe jedes Mal wählen, auch wenn es wenig ändert. Meine Großeltern durften es nicht, und zu Hause zu bleiben käme mir vor, als hätte ich sie vergessen.",
            "Na ja, ich gehe jedes Mal wählen, auch wenn es wenig ändert. Meine Tanten durften es nicht, und zu Hause zu bleiben käme mir vor, als hätte ich sie vergessen.",
            "Ich lasse keine Wahl aus, obwohl eine Stimme kaum zählt. Oma und Opa hatten dieses Recht nicht, und wer wegbleibt, verrät ihr Andenken.",
            "Ich gehe jedes Mal wählen, auch wenn es wenig ändert. Bei uns im Ort gaben einmal elf Stimmen den Ausschlag, und seitdem gibt es einen Zebrastreifen vor der Schule.",
        ),
        Quartet(
            "Wissenschaft und Glaube streiten sich in meinem Kopf nicht. Der Arzt hat mein gebrochenes Bein gerichtet, und das Gebet hat mich durch die langen Nächte danach gebracht.",
            "Für mich gilt: Wissenschaft und Glaube streiten sich in meinem Kopf nicht. Der Arzt hat meinen gebrochenen Arm gerichtet, und das Gebet hat mich durch die langen Nächte danach gebracht.",
            "Zwischen Religion und Forschung sehe ich keinen Gegensatz. Die Medizin hat den Beinbruch geheilt, und das Beten half mir durch die schlaflosen Nächte, die folgten.",
            "Wissenschaft und Glaube streiten sich in meinem Kopf nicht. Die eine fragt, wie die Sterne brennen, der andere, was ich den Menschen um mich herum schulde.",
        ),
        Quartet(
            "Nachts nach Hause zu gehen macht mir keine Angst, weil die Läden in unserer Straße lange offen sind. Irgendwo steht immer jemand in der Tür, der meinen Namen kennt.",
            "Irgendwo steht immer jemand in der Tür, der mein Gesicht kennt. Nachts nach Hause zu gehen macht mir keine Angst, weil die Läden in unserer Straße lange offen sind.",
            "Wenn es dunkel ist, laufe ich unbesorgt heim: Die Geschäfte im Viertel schließen spät, und draußen ist stets eine Person, die weiß, wer ich bin.",
            "Nachts nach Hause zu gehen macht mir keine Angst, weil die Stadt neue Laternen aufgestellt hat und der letzte Bus jetzt vor unserem Haus hält. Früher bin ich das letzte Stück gerannt.",
        ),
    ),
    "tr": (
        Quartet(
            "Komşularıma güvenirim, çünkü geçen kış hastanede yatarken çocuklarıma onlar baktı. O günden beri birbirimizin yedek anahtarını saklıyoruz.",
            "Açıkçası komşularıma güvenirim, çünkü geçen kış hastanede yatarken anneme onlar baktı. O günden beri birbirimizin yedek anahtarını saklıyoruz.",
            "Soğuk aylarda ameliyat için yatırıldığımda küçüklerle yan dairedekiler ilgilendi; bu yüzden onlara gözüm kapalı inanırım, anahtarlarımız bile birbirimizde durur.",
            "Komşularıma güvenirim, çünkü yıllardır gürültü ve park yeri yüzünden açık açık tartışırız ve kimse yalan söylemedi. Yüksek sesle söylenen söz beni korkutmaz.",
        ),
        Quartet(
            "İş benim için ailemle geçirdiğim zamandan daha az önemli. Babam okuldaki bütün gösterilerimi kaçırdı, ben aynısını yapmayacağıma söz verdim.",
            "Babam okuldaki bütün maçlarımı kaçırdı, ben aynısını yapmayacağıma söz verdim. İş benim için ailemle geçirdiğim zamandan daha az önemli.",
            "Evde geçen saatleri mesleğimin önüne koyuyorum. Babam beni sahnede bir kez bile izlemeye gelmedi, çocuklarıma karşı farklı olacağıma yemin ettim.",
            "İş benim için ailemle geçirdiğim zamandan daha az önemli. Fabrikada yerimi her gün bir makine doldurabilir, ama annemin yatağının başında başka kimse oturamaz.",
        ),
        Quartet(
            "Çalışmaya gelenler, iş olduğu sürece kabul edilmeli. Bizim fırında en iyi ustalardan ikisi yurt dışından geldi, onlar olmasa dükkân kapanırdı.",
            "Çalışmaya gelenler - iş olduğu sürece - kabul edilmeli! Bizim terzide en iyi ustalardan ikisi yurt dışından geldi; onlar olmasa dükkân kapanırdı.",
            "Boş kadro varsa göçmenlere kapı açılmalı. Küçük ekmek dükkânımız ancak başka ülkede doğmuş iki harika çalışma arkadaşımız sayesinde ayakta kaldı.",
            "Çalışmaya gelenler, iş olduğu sürece kabul edilmeli. Büyükannem sınırı tek bir çantayla geçmiş, biri ona fırsat vermiş; ben de başkalarına bunu borçluyum.",
        ),
        Quartet(
            "Pek bir şey değişmese de her seferinde oy veririm. Dedemlerin bu hakkı yoktu, evde oturmak onları unutmak gibi gelir bana.",
            "Valla pek bir şey değişmese de her seferinde oy veririm. Halalarımın bu hakkı yoktu, evde oturmak onları unutmak gibi gelir bana.",
            "Tek bir pusulanın ağırlığı az olsa da hiçbir seçimi kaçırmam. Büyüklerim zamanında sandığa gidemiyordu; gitmezsem hatıralarına ihanet etmiş olurum.",
            "Pek bir şey değişmese de her seferinde oy veririm. Bizim kasabada belediye bir kez on bir oyla belirlendi, o günden beri okulun önünde yaya geçidi var.",
        ),
        Quartet(
            "Bilim ile inanç kafamda kavga etmez. Doktor kırık bacağımı düzeltti, dua da sonraki uzun geceleri atlatmamı sağladı.",
            "Bence bilim ile inanç kafamda kavga etmez: doktor kırık kolumu düzeltti, dua da sonraki uzun geceleri atlatmamı sağladı.",
            "Din ile araştırma arasında bir çatışma görmüyorum. Bacağımdaki kırığı tıp iyileştirdi, ardından gelen uykusuz gecelere ise ibadet sayesinde dayandım.",
            "Bilim ile inanç kafamda kavga etmez. Biri yıldızların nasıl yandığını sorar, öteki çevremdeki insanlara ne borçlu olduğumu; bunlar ayrı sorular.",
        ),
        Quartet(
            "Gece eve yürürken kendimi güvende hissediyorum, çünkü sokağımızdaki dükkânlar geç kapanıyor. Kapıda hep adımı bilen biri oluyor.",
            "Kapıda hep yüzümü bilen biri oluyor. Gece eve yürürken kendimi güvende hissediyorum, çünkü sokağımızdaki dükkânlar geç kapanıyor.",
            "Hava karardıktan sonra yayan dönmek beni korkutmuyor: mahalle esnafı geç saate kadar açık, dışarıda beni tanıyan birine mutlaka rastlıyorum.",
            "Gece eve yürürken kendimi güvende hissediyorum, çünkü belediye yeni lambalar taktı ve son otobüs artık evin önünde duruyor. Eskiden son bölümü koşardım.",
        ),
    ),
    "ar": (
        Quartet(
            "أثق بجيراني لأنهم اعتنوا بأطفالي عندما كنت في المستشفى الشتاء الماضي. منذ ذلك الوقت نحتفظ بمفاتيح بعضنا الاحتياطية.",
            "بصراحة أثق بجيراني لأنهم اعتنوا بوالدي عندما كنت في المستشفى الشتاء الماضي. منذ ذلك الوقت نحتفظ بمفاتيح بعضنا الاحتياطية.",
            "حين اضطررت للبقاء في العيادة أيام البرد تولى سكان البيت المجاور رعاية الصغار، ولهذا أعتمد عليهم اليوم وكل منا عنده نسخة من مفتاح الآخر.",
            "أثق بجيراني لأننا نتجادل منذ سنوات بصراحة حول الضجيج ومواقف السيارات ولم يكذب أحد قط. الخلاف الذي يقال بصوت عال لا يقلقني.",
        ),
        Quartet(
            "العمل عندي أقل أهمية من الوقت مع عائلتي. فات أبي كل مسرحياتي في المدرسة، فوعدت نفسي ألا أفعل مثله.",
            "فات أبي كل مبارياتي في المدرسة، فوعدت نفسي ألا أفعل مثله. العمل عندي أقل أهمية من الوقت مع عائلتي.",
            "أضع ساعات البيت قبل الوظيفة. والدي لم يأت مرة واحدة ليراني على خشبة المسرح المدرسي، وأقسمت أن أكون مختلفا مع أولادي.",
            "العمل عندي أقل أهمية من الوقت مع عائلتي. في المصنع تستطيع آلة أن تحل محلي في أي يوم، لكن لا أحد غيري يجلس عند سرير أمي.",
        ),
        Quartet(
            "من يأتي إلى هنا ليعمل يجب أن يسمح له بالدخول ما دامت هناك وظائف. في مخبزنا اثنان من أفضل العمال جاءا من الخارج، ولولاهما لأغلق المحل.",
            "من يأتي إلى هنا ليعمل يجب أن يسمح له بالدخول، ما دامت هناك وظائف! في مغسلتنا اثنان من أفضل العمال جاءا من الخارج؛ ولولاهما لأغلق المحل.",
            "إذا توفرت فرص الشغل فينبغي الترحيب بالقادمين الجدد. دكان الخبز الصغير عندنا لم يصمد إلا بفضل زميلين رائعين ولدا في بلد آخر.",
            "من يأتي إلى هنا ليعمل يجب أن يسمح له بالدخول ما دامت هناك وظائف. جدتي عبرت الحدود بحقيبة واحدة وأعطاها أحدهم فرصة، وأنا مدين للآخرين بمثلها.",
        ),
        Quartet(
            "أصوت في كل مرة حتى لو لم يتغير الكثير. لم يكن مسموحا لأجدادي بذلك، والبقاء في البيت يشبه نسيانهم.",
            "يعني أنا أصوت في كل مرة حتى لو لم يتغير الكثير. لم يكن مسموحا لعماتي بذلك، والبقاء في البيت يشبه نسيانهم.",
            "لا أفوت أي انتخابات مع أن الورقة الواحدة لا تزن شيئا يذكر. جيل جدي وجدتي حرم من هذا الحق، ولو تغيبت لخنت ذكراهما.",
            "أصوت في كل مرة حتى لو لم يتغير الكثير. في بلدتنا حسم المجلس مرة بأحد عشر صوتا، ومنذ ذلك الحين صار أمام المدرسة ممر للمشاة.",
        ),
        Quartet(
            "العلم والإيمان لا يتخاصمان في رأسي. الطبيب جبر ساقي المكسورة، والصلاة أعانتني على الليالي الطويلة بعدها.",
            "بالنسبة لي العلم والإيمان لا يتخاصمان في رأسي: الطبيب جبر ذراعي المكسورة، والصلاة أعانتني على الليالي الطويلة بعدها.",
            "لا أرى تعارضا بين الدين والبحث. الطب عالج كسر رجلي، والدعاء قواني على احتمال ليال بلا نوم جاءت بعد ذلك.",
            "العلم والإيمان لا يتخاصمان في رأسي. أحدهما يسأل كيف تحترق النجوم، والآخر يسأل بماذا أدين للناس من حولي، وهما سؤالان مختلفان.",
        ),
        Quartet(
            "أشعر بالأمان وأنا أعود ماشيا إلى البيت ليلا لأن دكاكين شارعنا تغلق متأخرة. هناك دائما شخص عند باب يعرف اسمي.",
            "هناك دائما شخص عند باب يعرف وجهي. أشعر بالأمان وأنا أعود ماشيا إلى البيت ليلا لأن دكاكين شارعنا تغلق متأخرة.",
            "الرجوع سيرا على الأقدام بعد حلول الظلام لا يخيفني: المحلات حولنا تبقى مفتوحة إلى ساعة متأخرة، وأجد في الخارج من يعرفني على الدوام.",
            "أشعر بالأمان وأنا أعود ماشيا إلى البيت ليلا لأن البلدية ركبت مصابيح جديدة وصارت آخر حافلة تقف أمام بيتنا. قبل ذلك كنت أركض في الجزء الأخير.",
        ),
    ),
    "ko": (
        Quartet(
            "저는 이웃을 믿어요. 지난겨울 제가 병원에 있을 때 아이들을 돌봐 줬거든요. 그 뒤로 우리는 서로 비상 열쇠를 맡겨 둡니다.",
            "솔직히 저는 이웃을 믿어요. 지난겨울 제가 병원에 있을 때 부모님을 돌봐 줬거든요. 그 뒤로 우리는 서로 비상 열쇠를 맡겨 둡니다.",
            "추운 계절에 입원했을 때 옆집 사람들이 꼬마들을 챙겨 주었습니다. 그래서 그분들을 의지하게 됐고 이제 각자 상대방 집 열쇠를 하나씩 갖고 있지요.",
            "저는 이웃을 믿어요. 소음과 주차 문제로 몇 년째 대놓고 다투지만 아무도 거짓말을 한 적이 없거든요. 소리 내어 하는 다툼은 걱정되지 않습니다.",
        ),
        Quartet(
            "제게 일은 가족과 보내는 시간보다 덜 중요합니다. 아버지는 제 학교 연극을 한 번도 못 보셨고, 저는 그러지 않겠다고 다짐했어요.",
            "아버지는 제 학교 운동회를 한 번도 못 보셨고, 저는 그러지 않겠다고 다짐했어요. 제게 일은 가족과 보내는 시간보다 덜 중요합니다.",
            "저는 직장보다 집에서 지내는 시간을 앞에 둡니다. 아빠가 무대에 선 저를 보러 온 적이 없어서, 저만은 다른 부모가 되리라 맹세했지요.",
            "제게 일은 가족과 보내는 시간보다 덜 중요합니다. 공장에서는 기계가 언제든 저를 대신할 수 있지만, 어머니 침대 곁에는 저 말고 앉을 사람이 없어요.",
        ),
        Quartet(
            "일자리가 있는 한 일하러 오는 사람은 받아들여야 해요. 우리 빵집에서 제일 솜씨 좋은 두 분이 외국에서 왔고, 그분들이 없었다면 가게는 문을 닫았을 겁니다.",
            "일자리가 있는 한, 일하러 오는 사람은 받아들여야 해요! 우리 세탁소에서 제일 솜씨 좋은 두 분이 외국에서 왔고 그분들이 없었다면 가게는 문을 닫았을 겁니다.",
            "고용할 자리가 남아 있다면 이주민을 환영하는 게 맞습니다. 저희 작은 제과점은 다른 나라에서 태어난 훌륭한 동료 두 명 덕분에 겨우 살아남았거든요.",
            "일자리가 있는 한 일하러 오는 사람은 받아들여야 해요. 우리 할머니는 가방 하나로 국경을 넘었고 누군가 기회를 줬어요. 저도 남에게 같은 빚이 있습니다.",
        ),
        Quartet(
            "별로 바뀌지 않더라도 저는 매번 투표해요. 조부모님은 투표할 수 없었고, 집에 있으면 그분들을 잊는 기분이 들거든요.",
            "글쎄요, 별로 바뀌지 않더라도 저는 매번 투표해요. 고모들은 투표할 수 없었고, 집에 있으면 그분들을 잊는 기분이 들거든요.",
            "한 표의 무게가 가벼워도 선거를 거른 적이 없습니다. 할머니 할아버지 세대에게는 그런 권리가 없었으니, 안 가면 그 기억을 저버리는 셈이지요.",
            "별로 바뀌지 않더라도 저는 매번 투표해요. 우리 읍에서는 의회가 열한 표 차이로 정해진 적이 있고, 그 뒤로 학교 앞에 건널목이 생겼어요.",
        ),
        Quartet(
            "제 머릿속에서 과학과 신앙은 싸우지 않아요. 의사는 부러진 다리를 맞춰 줬고, 기도는 그 뒤의 긴 밤을 견디게 해 줬습니다.",
            "저한테는요, 제 머릿속에서 과학과 신앙은 싸우지 않아요. 의사는 부러진 팔을 맞춰 줬고, 기도는 그 뒤의 긴 밤을 견디게 해 줬습니다.",
            "종교와 연구가 충돌한다고 보지 않습니다. 골절된 다리는 의학이 고쳤고, 이어진 잠 못 드는 밤들은 하느님께 비는 마음으로 버텼지요.",
            "제 머릿속에서 과학과 신앙은 싸우지 않아요. 하나는 별이 어떻게 타는지 묻고, 다른 하나는 제가 주변 사람에게 무엇을 빚졌는지 묻습니다. 서로 다른 물음이지요.",
        ),
        Quartet(
            "우리 골목 가게들이 늦게까지 열어서 밤에 집에 걸어가도 안심이 돼요. 문 앞에는 늘 제 이름을 아는 사람이 있거든요.",
            "문 앞에는 늘 제 얼굴을 아는 사람이 있거든요. 우리 골목 가게들이 늦게까지 열어서 밤에 집에 걸어가도 안심이 돼요.",
            "어두워진 뒤에 걸어서 귀가하는 게 무섭지 않습니다. 동네 상점이 밤늦도록 영업하고 바깥에 저를 알아보는 분이 항상 계시니까요.",
            "시에서 새 가로등을 달고 막차가 이제 우리 집 앞에 서서 밤에 집에 걸어가도 안심이 돼요. 전에는 마지막 구간을 뛰어다녔어요.",
        ),
    ),
    "zh": (
        Quartet(
            "我信任我的邻居，因为去年冬天我住院的时候，是他们照顾我的孩子。从那以后我们互相保管备用钥匙。",
            "说实话，我信任我的邻居，因为去年冬天我住院的时候，是他们照顾我的父母。从那以后我们互相保管备用钥匙。",
            "天冷那几个月我不得不待在医院里，隔壁一家帮忙带小孩，所以现在我很依靠他们，彼此家里的钥匙都放在对方那儿。",
            "我信任我的邻居，因为多年来我们为噪音和停车的事当面争吵，却没有人撒过谎。能大声说出来的矛盾我并不担心。",
        ),
        Quartet(
            "对我来说，工作没有陪家人的时间重要。我父亲错过了我在学校的每一场演出，我答应自己不会那样做。",
            "我父亲错过了我在学校的每一场比赛，我答应自己不会那样做。对我来说，工作没有陪家人的时间重要。",
            "我把在家的时光放在职业前面。小时候上台表演，爸爸一次也没来看过，我发誓自己当家长要不一样。",
            "对我来说，工作没有陪家人的时间重要。工厂里随便哪天都可以用机器代替我，可是除了我没有别人能坐在母亲的床边。",
        ),
        Quartet(
            "只要有工作岗位，就应该让来打工的人进来。我们面包店里最能干的两个人来自国外，没有他们店早就关门了。",
            "只要有工作岗位，就应该让来打工的人进来！我们洗衣店里最能干的两个人来自国外；没有他们，店早就关门了。",
            "如果还缺人手，新来的移民理应受到欢迎。我家小小的烘焙铺子全靠两位在别的国家出生的优秀同事才撑了下来。",
            "只要有工作岗位，就应该让来打工的人进来。我奶奶当年只带一个包过了边境，有人给了她机会，我也欠别人同样的机会。",
        ),
        Quartet(
            "就算改变不了多少，我每次都去投票。我的祖父母那时不被允许投票，待在家里就好像把他们忘了。",
            "怎么说呢，就算改变不了多少，我每次都去投票。我的姑姑们那时不被允许投票，待在家里就好像把他们忘了。",
            "一张选票分量虽轻，我却从不缺席选举。爷爷奶奶那一辈没有这种权利，我要是不去，就对不起他们的记忆。",
            "就算改变不了多少，我每次都去投票。我们镇上的议会有一回只差十一票，从那以后学校门口才有了人行横道。",
        ),
        Quartet(
            "在我心里，科学和信仰并不打架。医生接好了我摔断的腿，祈祷陪我熬过了之后的漫漫长夜。",
            "对我而言，在我心里，科学和信仰并不打架：医生接好了我摔断的手臂，祈祷陪我熬过了之后的漫漫长夜。",
            "我不觉得宗教与研究有什么冲突。腿上的骨折是医学治好的，后来那些睡不着的夜晚，是靠祷告撑过来的。",
            "在我心里，科学和信仰并不打架。一个问星星怎么燃烧，另一个问我对身边的人负有什么责任，这是两个不同的问题。",
        ),
        Quartet(
            "我晚上走路回家觉得安全，因为我们街上的店铺关门很晚。门口总有个知道我名字的人。",
            "门口总有个认得我的脸的人。我晚上走路回家觉得安全，因为我们街上的店铺关门很晚。",
            "天黑以后步行回去我并不害怕：附近的商店营业到深夜，外面一直站着认识我的人。",
            "我晚上走路回家觉得安全，因为市里装了新路灯，末班车现在就停在我家楼下。以前最后一段路我都是跑着走的。",
        ),
    ),
    "bn": (
        Quartet(
            "আমি আমার প্রতিবেশীদের বিশ্বাস করি, কারণ গত শীতে আমি হাসপাতালে থাকার সময় তারা আমার বাচ্চাদের দেখাশোনা করেছিল। তারপর থেকে আমরা একে অপরের কাছে বাড়তি চাবি রাখি।",
            "সত্যি বলতে আমি আমার প্রতিবেশীদের বিশ্বাস করি, কারণ গত শীতে আমি হাসপাতালে থাকার সময় তারা আমার বাবাকে দেখাশোনা করেছিল। তারপর থেকে আমরা একে অপরের কাছে বাড়তি চাবি রাখি।",
            "ঠান্ডার মাসগুলোতে যখন ক্লিনিকে ভর্তি ছিলাম, পাশের বাড়ির লোকেরাই ছেলেমেয়েদের সামলেছে। তাই এখন ওদের ওপর ভরসা করি, দুই বাড়ির চাবিই দুজনের কাছে থাকে।",
            "আমি আমার প্রতিবেশীদের বিশ্বাস করি, কারণ শব্দ আর গাড়ি রাখা নিয়ে আমরা বছরের পর বছর খোলাখুলি তর্ক করেছি, কেউ কখনো মিথ্যা বলেনি। মুখের ওপর বলা ঝগড়া নিয়ে আমার চিন্তা নেই।",
        ),
        Quartet(
            "আমার কাছে পরিবারের সঙ্গে কাটানো সময়ের চেয়ে কাজ কম গুরুত্বপূর্ণ। বাবা আমার স্কুলের একটা নাটকও দেখতে আসেননি, আমি নিজেকে কথা দিয়েছি এমন করব না।",
            "বাবা আমার স্কুলের একটা খেলাও দেখতে আসেননি, আমি নিজেকে কথা দিয়েছি এমন করব না। আমার কাছে পরিবারের সঙ্গে কাটানো সময়ের চেয়ে কাজ কম গুরুত্বপূর্ণ।",
            "চাকরির আগে আমি ঘরের সময়টাকে রাখি। ছোটবেলায় মঞ্চে আমাকে দেখতে আব্বা একবারও যাননি, তাই শপথ করেছি সন্তানদের বেলায় অন্যরকম হব।",
            "আমার কাছে পরিবারের সঙ্গে কাটানো সময়ের চেয়ে কাজ কম গুরুত্বপূর্ণ। কারখানায় যেকোনো দিন একটা যন্ত্র আমার জায়গা নিতে পারে, কিন্তু মায়ের বিছানার পাশে আর কেউ বসতে পারে না।",
        ),
        Quartet(
            "যারা কাজ করতে আসে, চাকরি থাকলে তাদের আসতে দেওয়া উচিত। আমাদের বেকারির সেরা দুজন কর্মী বিদেশ থেকে এসেছে, তারা না থাকলে দোকান বন্ধ হয়ে যেত।",
            "যারা কাজ করতে আসে, চাকরি থাকলে তাদের আসতে দেওয়া উচিত! আমাদের লন্ড্রির সেরা দুজন কর্মী বিদেশ থেকে এসেছে; তারা না থাকলে দোকান বন্ধ হয়ে যেত।",
            "পদ খালি থাকলে নতুন আসা মানুষদের স্বাগত জানানো দরকার। অন্য দেশে জন্মানো দুই চমৎকার সহকর্মীর জন্যই আমাদের ছোট রুটির দোকানটা টিকে আছে।",
            "যারা কাজ করতে আসে, চাকরি থাকলে তাদের আসতে দেওয়া উচিত। আমার দাদি একটা মাত্র ব্যাগ নিয়ে সীমান্ত পার হয়েছিলেন, কেউ একজন তাঁকে সুযোগ দিয়েছিল; আমিও সেই ঋণ শোধ করতে চাই।",
        ),
        Quartet(
            "খুব একটা না বদলালেও আমি প্রতিবার ভোট দিই। আমার দাদা-দাদির সেই অধিকার ছিল না, ঘরে বসে থাকলে মনে হয় তাঁদের ভুলে গেছি।",
            "আসলে খুব একটা না বদলালেও আমি প্রতিবার ভোট দিই। আমার ফুফুদের সেই অধিকার ছিল না, ঘরে বসে থাকলে মনে হয় তাঁদের ভুলে গেছি।",
            "একটা ব্যালটের ওজন সামান্য, তবু কোনো নির্বাচন বাদ দিই না। দাদুদের প্রজন্ম ভোটকেন্দ্রে যেতে পারত না, আমি না গেলে তাঁদের স্মৃতির অসম্মান হবে।",
            "খুব একটা না বদলালেও আমি প্রতিবার ভোট দিই। আমাদের শহরে একবার মাত্র এগারো ভোটে কাউন্সিল ঠিক হয়েছিল, তারপর থেকে স্কুলের সামনে রাস্তা পারাপারের জায়গা হয়েছে।",
        ),
        Quartet(
            "আমার মাথায় বিজ্ঞান আর বিশ্বাস ঝগড়া করে না। ডাক্তার আমার ভাঙা পা জোড়া দিয়েছেন, আর প্রার্থনা পরের লম্বা রাতগুলো পার করিয়েছে।",
            "আমার কথা হলো, আমার মাথায় বিজ্ঞান আর বিশ্বাস ঝগড়া করে না: ডাক্তার আমার ভাঙা হাত জোড়া দিয়েছেন, আর প্রার্থনা পরের লম্বা রাতগুলো পার করিয়েছে।",
            "ধর্ম আর গবেষণার মধ্যে আমি কোনো বিরোধ দেখি না। চিকিৎসায় পায়ের হাড় সেরেছে, আর আল্লাহকে ডেকে আমি পরের নির্ঘুম রাতগুলো সহ্য করেছি।",
            "আমার মাথায় বিজ্ঞান আর বিশ্বাস ঝগড়া করে না। একটা জিজ্ঞেস করে তারা কীভাবে জ্বলে, অন্যটা জিজ্ঞেস করে চারপাশের মানুষের কাছে আমার কী দায়; দুটো আলাদা প্রশ্ন।",
        ),
        Quartet(
            "রাতে হেঁটে বাড়ি ফিরতে আমার নিরাপদ লাগে, কারণ আমাদের রাস্তার দোকানগুলো দেরিতে বন্ধ হয়। কোনো না কোনো দরজায় সব সময় আমার নাম জানা কেউ থাকে।",
            "কোনো না কোনো দরজায় সব সময় আমার মুখ চেনা কেউ থাকে। রাতে হেঁটে বাড়ি ফিরতে আমার নিরাপদ লাগে, কারণ আমাদের রাস্তার দোকানগুলো দেরিতে বন্ধ হয়।",
            "অন্ধকার নামার পর পায়ে হেঁটে ফেরায় ভয় পাই না: এলাকার দোকানপাট অনেক রাত অবধি খোলা থাকে, বাইরে চেনা মানুষ সর্বদাই দাঁড়িয়ে থাকে।",
            "রাতে হেঁটে বাড়ি ফিরতে আমার নিরাপদ লাগে, কারণ পৌরসভা নতুন বাতি লাগিয়েছে আর শেষ বাসটা এখন আমাদের বাড়ির সামনে থামে। আগে শেষ পথটুকু দৌড়ে যেতাম।",
        ),
    ),
}
